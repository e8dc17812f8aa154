import type { Logger } from '../handler/logger.ts';
import type { SqsEvent } from '../handler/queue-side.ts';
import type { createCompletionAlarms } from '../operations/completion-alarms.ts';
import {
  type CompletionPosterDeps,
  createCompletionPoster,
  type PostCompletion,
} from '../operations/completion-poster.ts';
import type { PostResult } from '../operations/completion-result.ts';
import type { Operations } from '../operations/operations.ts';
import type { OperationStore } from '../operations/ports.ts';
import type { EndpointView } from '../router/endpoint-view.ts';
import type { Endpoint } from '../router/ports.ts';
import { callbacksOf } from './callbacks.ts';
import { parseCompletionMessage } from './queue-messages.ts';

export interface CompletionDeliveryDeps {
  readonly operations: Pick<Operations, 'complete'>;
  readonly store: Pick<OperationStore, 'get'>;
  readonly endpoints: Pick<EndpointView, 'get'>;
  readonly poster: Omit<CompletionPosterDeps, 'callbacks'>;
  readonly alarm: ReturnType<typeof createCompletionAlarms>;
  readonly logger: Logger;
}

/** A message as the function gets it. */
export type CompletionRecord = Pick<SqsEvent['Records'][number], 'body' | 'attributes'>;

/**
 * Makes what takes a message of the completion queue, and makes one attempt to deliver its completion. Whatever
 * is in the way of that is written into the record, so that the next attempt has a backoff and a reason that people see;
 * it rejects, and the message comes again, only where the record can be neither read nor written.
 */
export function createCompletionDelivery(deps: CompletionDeliveryDeps): (message: CompletionRecord) => Promise<void> {
  const { operations, store, endpoints, poster, alarm, logger } = deps;
  /** One for each version of an endpoint: its rules are parsed once. */
  const posters = new WeakMap<Endpoint, PostCompletion>();

  function posterOf(endpoint: Endpoint): PostCompletion {
    const known = posters.get(endpoint) ?? createCompletionPoster({ ...poster, callbacks: callbacksOf(endpoint) });
    posters.set(endpoint, known);
    return known;
  }

  /** By the rules of the endpoint as it is now. */
  async function post(name: string, ...request: Parameters<PostCompletion>): Promise<PostResult> {
    let way: PostCompletion | undefined;
    try {
      const endpoint = await endpoints.get(name);
      way = endpoint && posterOf(endpoint);
    } catch (error) {
      // The registry is down, or its entry is none that this version reads: the record says so meanwhile.
      logger.warn('a completion waits until its endpoint can be read', { endpoint: name, error });
      return { kind: 'retry', message: `endpoint "${name}" could not be read: ${(error as Error).message}` };
    }
    if (way !== undefined) return way(...request);
    // It was allowed when the start was accepted; without the endpoint nobody knows whether it still is.
    return {
      kind: 'retry',
      message: `endpoint "${name}" is gone, and with it what says where its completions may go`,
      alarm: `deploy endpoint "${name}" again, with its allowedCallbacks`,
    };
  }

  return async ({ body, attributes }) => {
    const { token, record: carried } = parseCompletionMessage(body);
    // One that came before may have been delivered, and the function ended before it could say so: what it carries is old.
    const isFirst = attributes?.ApproximateReceiveCount === '1';
    const record = (isFirst ? carried : undefined) ?? (await store.get(token));
    if (record === undefined) {
      logger.warn('a completion is of no operation', { token });
      return;
    }
    const after = await operations.complete(record, async (url, completion) => {
      const result = await post(record.endpoint, url, completion);
      alarm(record, result);
      return result;
    });
    if (after?.completion?.state !== 'dead-lettered') return;
    const { endpoint, completion } = after;
    const what = 'a completion was not taken, and waits for "nexus-lambda operation redrive" with its token';
    logger.error(what, { token, endpoint, reason: completion.lastFailure });
  };
}
