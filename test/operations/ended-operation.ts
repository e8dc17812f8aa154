import type { OperationRecord, Outcome } from '../../src/operations/record.ts';
import { DEFAULT_RETRY_POLICY } from '../../src/operations/retry-policy.ts';

export interface EndedOperationParts {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly acceptedAt?: number;
  readonly token?: string;
}

/** The record of an operation that has ended, with a completion to be sent. */
export function endedOperation(
  outcome: Outcome,
  {
    url = 'http://127.0.0.1/callback',
    headers = {},
    acceptedAt = outcome.at - 1_000,
    token = 'ours-1',
  }: EndedOperationParts = {},
): OperationRecord {
  return {
    token,
    key: 'key',
    version: 3,
    principal: 'local',
    endpoint: 'shop',
    namespace: 'default',
    taskQueue: 'shop',
    policy: DEFAULT_RETRY_POLICY,
    requestId: 'request',
    start: { service: 's', operation: 'o', headers: {}, query: '', body: '' },
    callback: { url, headers },
    acceptedAt,
    retainUntil: acceptedAt + 61 * 86_400_000,
    state: 'ended',
    attempt: 1,
    nextAttemptAt: acceptedAt,
    crashes: 0,
    outcome,
    completion: { state: 'pending', attempts: 0, nextAttemptAt: outcome.at },
    wakeUps: 0,
  };
}
