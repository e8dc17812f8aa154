import { expect, it } from 'vitest';
import { isWayBackSettled, relayElsewhere, type WayBackSeen, wayBackFinding } from '../../src/doctor/way-back-hop.ts';
import type { CallbackSeen } from '../../src/temporal/doctor-seen.ts';

const URL_ = 'http://127.0.0.1:7243/namespaces/default/nexus/callback';
const STARTED = { state: 'started', token: 't' } as const;

function find(callback: Partial<CallbackSeen> | undefined, more: Partial<WayBackSeen> = {}) {
  return wayBackFinding({
    operation: STARTED,
    callback: callback && { url: URL_, state: 'waiting', attempts: 0, ...callback },
    waitedMs: 15_000,
    caller: { address: 'temporal.example:7233', version: '1.32.1' },
    ...more,
  });
}

it('waits for the completion, or for a second failure of the callback', () => {
  const callback = (more: Partial<CallbackSeen>): CallbackSeen => ({
    url: URL_,
    state: 'waiting',
    attempts: 0,
    ...more,
  });
  expect(isWayBackSettled({ operation: { state: 'completed' }, callback: undefined })).toBe(true);
  expect(isWayBackSettled({ operation: STARTED, callback: callback({}) })).toBe(false);
  expect(isWayBackSettled({ operation: STARTED, callback: callback({ state: 'delivered' }) })).toBe(false);
  expect(isWayBackSettled({ operation: STARTED, callback: callback({ attempts: 1 }) })).toBe(false);
  expect(isWayBackSettled({ operation: STARTED, callback: callback({ attempts: 2 }) })).toBe(true);
  expect(isWayBackSettled({ operation: STARTED, callback: callback({ state: 'failed' }) })).toBe(true);
  expect(isWayBackSettled({ operation: STARTED, callback: callback({ state: 'blocked' }) })).toBe(true);
});

it('is well when the completion is back, and says by which address', () => {
  expect(
    find(
      { url: 'http://user:s3cret@frontend:7243/namespaces/default/nexus/callback?k=s3cret' },
      { operation: { state: 'completed' } },
    ),
  ).toEqual({
    hop: 'way-back',
    status: 'ok',
    says: 'the completion came back to http://frontend:7243/namespaces/default/nexus/callback',
  });
  expect(find({ url: 'temporal://system' }, { operation: { state: 'completed' } }).says).toContain('temporal://system');
});

const failure = (message: string) => ({ state: 'waiting', attempts: 2, failure: { message } }) as const;

it.each<[string, Partial<CallbackSeen> | undefined, string, string]>([
  [
    'a dead port',
    failure(`Post "${URL_}": dial tcp 127.0.0.1:7243: connect: connection refused`),
    `the completion does not get to ${URL_}: dial tcp 127.0.0.1:7243: connect: connection refused`,
    '127.0.0.1 is the machine of whoever connects to it',
  ],
  [
    'a dead port whose number looks like a status',
    failure(`Post "${URL_}": dial tcp 127.0.0.1:40133: connect: connection refused`),
    '40133',
    'does not reach it',
  ],
  ['a network without a way', { attempts: 0 }, 'no answer for 15 s', 'does not reach it'],
  ['another path or server', failure('handler error (NOT_FOUND): 404 page not found'), '404', 'has no such path'],
  ['a refusal', failure('unexpected response status: "403 Forbidden"'), '403', 'refuses it'],
  [
    'an open circuit breaker',
    { state: 'blocked', blocked: 'The circuit breaker is open.' },
    'circuit breaker',
    'after a minute',
  ],
  [
    'something else that takes it',
    { state: 'delivered', attempts: 1 },
    'the caller never got it',
    'Something else than the frontend',
  ],
])('names %s, and the template for the server', (_what, callback, says, why) => {
  const finding = find(callback);
  expect(finding).toMatchObject({
    hop: 'way-back',
    status: 'fail',
    says: expect.stringContaining(says),
    why: expect.stringContaining(why),
  });
  expect(finding.type?.join('\n')).toContain(
    'nexusoperation.callback.endpoint.template: [{ value: "http://temporal.example:7243/',
  );
});

it('names an operation that ended otherwise, and a workflow without a callback', () => {
  expect(find({}, { operation: { state: 'failed', failure: { message: 'timed out' } } }).says).toBe(
    'the operation failed: timed out',
  );
  expect(find(undefined).says).toBe('the workflow of the handler has no callback');
});

it("is not walked where the handler's workflows are on another server", () => {
  const temporal = {
    address: 'other:7233',
    namespace: 'shop',
    tls: false,
    authentication: 'none',
    taskQueue: 'q',
  } as const;
  expect(
    relayElsewhere({ nexusLambda: '0.1.0', services: [], temporal }, { address: 'here:7233', version: '1.32.1' }),
  ).toMatchObject({
    hop: 'way-back',
    status: 'skip',
    says: expect.stringContaining("the handler's workflows are not on here:7233"),
    type: [
      expect.stringContaining('other:7233, namespace "shop"'),
      'npx nexus-lambda doctor --temporal-address other:7233 …',
    ],
  });
});
