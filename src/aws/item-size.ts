import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** The most that DynamoDB takes as one item: 400 KB, names of attributes included. */
export const MAX_ITEM_BYTES = 400 * 1024;

/** Bytes of an item of texts, numbers and bytes, as DynamoDB counts them: exact, but for a byte or two per number. */
export function itemBytes(item: Readonly<Record<string, AttributeValue>>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes({ S, N, B }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return Math.ceil(N.length / 2) + 1;
  return B?.length ?? 0;
}
