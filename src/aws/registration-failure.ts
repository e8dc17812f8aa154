/**
 * CloudFormation takes 4 KB of answer: with the reason come a stack trace, which the provider framework adds, and IDs.
 */
const MAX_REASON_BYTES = 1_500;

/** What an engineer reads of an error where a deploy failed: one line, cut where it does not fit. */
export function failureReason(error: unknown): string {
  const { message, name } = error instanceof Error ? error : { message: String(error), name: '' };
  const line = (message || name).replace(/\s*[\r\n]+\s*/g, ' ');
  const bytes = Buffer.from(line);
  if (bytes.length <= MAX_REASON_BYTES) return line;
  // `stream` leaves out the character that the cut goes through.
  return `${new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES), { stream: true })}…`;
}
