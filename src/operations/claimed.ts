import { dueAt } from './due.ts';
import type { Claim, OperationRecord } from './record.ts';

/** The members that are other ones in a record once it is claimed, besides its version. */
export type Claimed = Required<Pick<OperationRecord, 'state' | 'claim' | 'wakeUps' | 'dueAt'>>;

/** What `received` writes when it claims, none of which depends on the record: for a store that claims without a read. */
export function claimed(claim: Claim, now: number): Claimed {
  const members = { state: 'claimed', claim, wakeUps: 0 } as const;
  return { ...members, dueAt: dueAt(members as OperationRecord, now)! };
}
