import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { jsonPayload } from '../../src/handler/plain-failure.ts';
import type { StartRequest } from '../../src/nexus/request.ts';
import { createCompletionPoster } from '../../src/operations/completion-poster.ts';
import { formatStoredCompletion } from '../../src/operations/format-stored-completion.ts';
import type { Outcome } from '../../src/operations/record.ts';
import { endedOperation } from '../operations/ended-operation.ts';
import { type AsynchronousHandler, openAsynchronousHandler, type ReceivedStart } from './asynchronous-handler.ts';
import { patience, useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;
const encoding = new TextEncoder().encode('json/plain');
const json = (value: unknown) =>
  jsonPayload({ metadata: { encoding }, data: new TextEncoder().encode(JSON.stringify(value)) });
const succeeded = (value: unknown): Outcome => ({
  state: 'succeeded',
  payload: json(value),
  links: [],
  at: Date.now(),
});

const post = createCompletionPoster({ callbacks: { allowed: [], loopback: true } });

/** Sends the outcome of an operation to the callback of its start, as it is sent from its record. */
function complete({ callbackUrl: url = '', callbackHeaders: headers }: StartRequest, token: string, outcome: Outcome) {
  return post(url, formatStoredCompletion(endedOperation(outcome, { url, headers, token })));
}

describe.concurrent.each(serverVersions)('the completion of an operation of the %s server', (version) => {
  const temporal = useTemporal(version);
  const waiting = new Map<string, PromiseWithResolvers<ReceivedStart>>();
  const startOf = (operation: string) => {
    const known = waiting.get(operation) ?? Promise.withResolvers<ReceivedStart>();
    waiting.set(operation, known);
    return known;
  };
  let handler: AsynchronousHandler;
  beforeAll(async () => {
    handler = await openAsynchronousHandler((received) => startOf(received.start.operation).resolve(received));
  });
  afterAll(() => handler.close());

  /** A caller whose operation has been received, and not yet been answered. */
  const call = async () => {
    const operation = `wait-${randomUUID()}`;
    const endpoint = await temporal.createEndpoint(handler.url);
    const caller = await temporal.call({ endpoint, service: 'queued', operation });
    return { caller, token: `ours-${operation}`, ...(await startOf(operation).promise) };
  };

  /** The same, answered, and known to be running. */
  const callAndAnswer = async () => {
    const called = await call();
    called.answer(called.token);
    const started = () => temporal.eventsOf(called.caller.workflowId, 'nexusOperationStartedEventAttributes');
    await vi.waitUntil(async () => (await started()).length > 0, patience);
    return called;
  };

  it('gives the caller the result, once', async ({ expect }) => {
    const { caller, start, token } = await callAndAnswer();
    expect(await complete(start, token, succeeded({ total: 3 }))).toEqual({ kind: 'delivered' });
    expect(await complete(start, token, succeeded({ total: 4 }))).toMatchObject({ kind: 'refused' });
    expect(await caller.result()).toEqual({ total: 3 });
    const completed = await temporal.eventsOf(caller.workflowId, 'nexusOperationCompletedEventAttributes');
    expect(completed).toHaveLength(1);
    expect(await complete(start, token, succeeded({ total: 5 }))).toMatchObject({ kind: 'refused' });
  });

  it('gives the caller the failure, with its details and cause', async ({ expect }) => {
    const { caller, start, token } = await callAndAnswer();
    const failure = {
      message: 'the card was declined',
      applicationFailureInfo: { type: 'Declined', nonRetryable: true, details: { payloads: [json({ code: 51 })] } },
      cause: { message: 'insufficient funds', applicationFailureInfo: { type: 'Funds' } },
    };
    const outcome = { state: 'failed', failure, links: [], at: Date.now() } as const;
    expect(await complete(start, token, outcome)).toEqual({ kind: 'delivered' });
    const error = await caller.result().catch((thrown) => thrown.cause.cause);
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({
      message: 'the card was declined',
      type: 'Declined',
      details: [{ code: 51 }],
      cause: { message: 'insufficient funds', type: 'Funds' },
    });
    expect(await complete(start, token, outcome)).toMatchObject({ kind: 'refused' });
  });

  it('tells the caller that the operation was canceled', async ({ expect }) => {
    const { caller, start, token } = await callAndAnswer();
    const failure = { message: 'the operation was canceled', canceledFailureInfo: {} };
    const outcome = { state: 'canceled', failure, links: [], at: Date.now() } as const;
    expect(await complete(start, token, outcome)).toEqual({ kind: 'delivered' });
    expect(await caller.result().catch((thrown) => thrown.cause.cause)).toBeInstanceOf(CancelledFailure);
    expect(await temporal.eventsOf(caller.workflowId, 'nexusOperationCanceledEventAttributes')).toHaveLength(1);
  });

  it('may overtake the answer to the start, and makes up for it with token, time and links', async ({ expect }) => {
    const { caller, start, token, answer } = await call();
    const link = {
      url: 'temporal:///namespaces/default/workflows/w/r/history?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference',
      type: 'temporal.api.common.v1.Link.WorkflowEvent',
    };
    const outcome = { ...succeeded('early'), links: [link] };
    expect(await complete(start, token, outcome)).toEqual({ kind: 'delivered' });
    expect(await caller.result()).toBe('early');
    answer(token);
    const [started] = await temporal.eventsOf(caller.workflowId, 'nexusOperationStartedEventAttributes');
    expect(started?.attributes.operationToken).toBe(token);
    expect(started?.links[0]?.workflowEvent?.workflowId).toBe('w');
  });

  it('is dead-lettered with the reason where the server takes no result of that size', async ({ expect }) => {
    const { caller, start, token } = await callAndAnswer();
    // The quotes of the text are two bytes; the payload's encoding comes on top.
    const atLimit = succeeded('x'.repeat(MAX_PAYLOAD_BYTES - 2));
    expect(await complete(start, token, atLimit)).toMatchObject({
      kind: 'dead-lettered',
      message: expect.stringMatching(/answered 400: "result exceeds size limit"$/),
    });
    expect(await complete(start, token, succeeded('x'.repeat(2 * MAX_PAYLOAD_BYTES)))).toMatchObject({
      kind: 'dead-lettered',
      message: expect.stringContaining('answered 400'),
    });
    expect(await complete(start, token, succeeded('less'))).toEqual({ kind: 'delivered' });
    expect(await caller.result()).toBe('less');
  });

  it('is dead-lettered where the token is none of the server’s', async ({ expect }) => {
    const { caller, start, token } = await callAndAnswer();
    const callbackHeaders = { 'temporal-callback-token': '{"v":1,"d":"bm90IGEgdG9rZW4gb2YgdGhlIHNlcnZlcg=="}' };
    const result = await complete({ ...start, callbackHeaders }, token, succeeded(1));
    expect(result).toMatchObject({ kind: 'dead-lettered', message: expect.stringContaining('invalid callback token') });
    await caller.terminate();
  });

  it('is refused where the caller is gone', async ({ expect }) => {
    const { caller, start, token } = await callAndAnswer();
    await caller.terminate();
    await expect
      .poll(() => caller.result().catch((thrown) => thrown.cause), patience)
      .toBeInstanceOf(TerminatedFailure);
    expect(await complete(start, token, succeeded(1))).toMatchObject({ kind: 'refused' });
  });
});
