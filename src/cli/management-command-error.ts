/** What was asked for could not be done; the message says why, and what to type instead. */
export class ManagementCommandError extends Error {
  override readonly name = 'ManagementCommandError';
}
