import type { OperationRecord } from './record.ts';

/** Where a record is in a list. */
export type ListPlace = Pick<OperationRecord, 'acceptedAt' | 'token'>;

/** Of the longest time in milliseconds that JavaScript counts exactly. */
const DIGITS = 16;

const POSITION = /^(?<acceptedAt>\d{16})\.(?<token>.+)$/s;

/** The place as a text. Texts sort as the places do: by time, then by token. */
export function formatPosition({ acceptedAt, token }: ListPlace): string {
  return `${String(acceptedAt).padStart(DIGITS, '0')}.${token}`;
}

/**
 * The place that a page begins at.
 *
 * @throws TypeError where the text is none that `formatPosition` made.
 */
export function parsePosition(position: string): ListPlace {
  const { acceptedAt, token } = POSITION.exec(position)?.groups ?? {};
  if (acceptedAt === undefined || token === undefined) {
    throw new TypeError(`"${position}" is no position in a list of operations; give the \`next\` of the page before`);
  }
  return { acceptedAt: Number(acceptedAt), token };
}
