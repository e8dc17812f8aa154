import { ApplicationFailure } from '@temporalio/common';
import { HandlerError, type HandlerErrorType, OperationError, serviceHandler } from 'nexus-rpc';
import { trouble } from './contracts.ts';

const attemptsByKey = new Map<string, number>();
const abortedByKey = new Map<string, { abortedWith: string; deadlineAfterMs: number }>();

function countAttempt(key: string): number {
  const attempts = (attemptsByKey.get(key) ?? 0) + 1;
  attemptsByKey.set(key, attempts);
  return attempts;
}

export const troubleHandler = serviceHandler(trouble, {
  refuse: async (_ctx, { state }) => {
    throw new OperationError(state, 'the shop is closed', {
      cause: ApplicationFailure.create({ message: 'stocktaking', type: 'Closed', details: [{ until: 'Monday' }, 7] }),
    });
  },
  breakDown: async () => {
    throw ApplicationFailure.nonRetryable('the till is broken', 'BrokenTill', { till: 3 });
  },
  stumble: async (_ctx, { key, type, retryableOverride }) => {
    const attempts = countAttempt(key);
    if (attempts > 1) return { attempts };
    throw new HandlerError(type as HandlerErrorType, `stumbled with ${type}`, { retryableOverride });
  },
  dawdle: async ({ abortSignal, requestDeadline }, { key }) => {
    const attempts = countAttempt(key);
    const first = abortedByKey.get(key);
    if (first !== undefined) return { attempts, ...first };
    const deadlineAfterMs = requestDeadline!.getTime() - Date.now();
    await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
    abortedByKey.set(key, { abortedWith: String(abortSignal.reason), deadlineAfterMs });
    throw abortSignal.reason;
  },
  attempts: async (_ctx, { key }) => attemptsByKey.get(key) ?? 0,
});
