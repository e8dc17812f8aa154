/*
 * A concurrency limit in its stored form: as many slots as operations may run at the same time, each an item of its own
 * that one holder leases. More than the limit can never be held, whatever is lost or crashes, and no two deliveries write
 * the same item at the same time. A delivery writes twice: it takes a slot, and lets it go.
 */

/**
 * Slots that are stored side by side and seen by one read. DynamoDB writes a thousand times a second to what is stored side
 * by side: so a limit of 16 is good for 500 deliveries a second, and each further 16 for 500 more.
 */
const SLOTS_IN_PART = 16;

/** Parts that one start looks into before it is refused: all of a limit of 64, and of a higher one those that chance names. */
const MAX_PARTS = 4;

/** What clocks of two machines differ by: by so much a lease is longer than what it is for. */
export const CLOCKS_DIFFER_MS = 5_000;

/** Slots that are stored side by side, `first` up to but without `end`. */
export interface SlotPart {
  readonly part: string;
  readonly first: number;
  readonly end: number;
}

/** Where to look for a slot of a limit, in turn. `random` is a number from 0 up to 1. */
export function partsToTry(limit: string, concurrency: number, random: number): SlotPart[] {
  const count = Math.ceil(concurrency / SLOTS_IN_PART);
  const start = Math.floor(Math.floor(random * concurrency) / SLOTS_IN_PART);
  return Array.from({ length: Math.min(count, MAX_PARTS) }, (_, step) => {
    const part = (start + step) % count;
    const first = part * SLOTS_IN_PART;
    return { part: `${limit}#${part}`, first, end: Math.min(concurrency, first + SLOTS_IN_PART) };
  });
}

/** The slots of a part that nobody has, in the order to try them: another one for each environment. */
export function freeSlots({ first, end }: SlotPart, held: ReadonlySet<number>, random: number): number[] {
  const free = Array.from({ length: end - first }, (_, index) => first + index).filter((slot) => !held.has(slot));
  const start = Math.floor(random * free.length);
  return [...free.slice(start), ...free.slice(0, start)];
}
