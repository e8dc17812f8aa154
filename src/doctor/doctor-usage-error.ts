/** The command line asks for what cannot be; the message says what to change. */
export class DoctorUsageError extends Error {
  override readonly name = 'DoctorUsageError';
}
