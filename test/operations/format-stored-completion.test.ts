import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonPayload } from '../../src/handler/plain-failure.ts';
import { parseCompletion } from '../../src/nexus/completion.ts';
import { formatStoredCompletion } from '../../src/operations/format-stored-completion.ts';
import type { Outcome } from '../../src/operations/record.ts';
import { headers, link, payload, protoFailure } from '../nexus/arbitraries.ts';
import { json, utf8 } from '../nexus/sample.ts';
import { endedOperation } from './ended-operation.ts';

const TOKEN = '{"v":1,"d":"CiQw=="}';
const at = Date.UTC(2026, 10, 23, 3, 30, 39, 123);

describe('formatStoredCompletion', () => {
  it('writes a result with token, times, links and what the start had for the callback', () => {
    const outcome: Outcome = {
      state: 'succeeded',
      payload: jsonPayload({ metadata: { encoding: utf8('json/plain') }, data: utf8('{"ok":true}') }),
      links: [{ url: 'temporal:///a', type: 'T' }],
      at,
    };
    const record = endedOperation(outcome, { headers: { 'temporal-callback-token': TOKEN }, acceptedAt: at - 1_000 });
    expect(formatStoredCompletion(record)).toEqual({
      headers: {
        'temporal-callback-token': TOKEN,
        'nexus-operation-state': 'succeeded',
        'nexus-operation-token': record.token,
        'nexus-operation-start-time': 'Mon, 23 Nov 2026 03:30:38 GMT',
        'nexus-operation-close-time': '2026-11-23T03:30:39.123Z',
        'nexus-link': '<temporal:///a>; type="T"',
        'content-type': 'application/json',
      },
      body: utf8('{"ok":true}'),
    });
  });

  it.each(['failed', 'canceled'] as const)('writes the failure of an operation that %s', (state) => {
    const failure = { message: 'm', cause: { message: 'c' } };
    const { headers: sent, body } = formatStoredCompletion(endedOperation({ state, failure, links: [], at }));
    expect(sent['nexus-operation-state']).toBe(state);
    expect(json(body)).toMatchObject({ message: 'm', details: { cause: { message: 'c' } } });
  });

  it('says what the outcome says, for every outcome', () => {
    const links = fc.array(link, { maxLength: 2 });
    const outcome = fc.oneof(
      fc.record({ state: fc.constant('succeeded' as const), payload, links }),
      fc.record({ state: fc.constant('failed' as const), failure: protoFailure, links }),
    );
    fc.assert(
      fc.property(outcome, headers, ({ links: given, ...ended }, callbackHeaders) => {
        const stored = given.map(({ url, type }) => ({ url: url.href, type }));
        const record = endedOperation(
          JSON.parse(
            JSON.stringify({
              ...ended,
              ...('payload' in ended && { payload: jsonPayload(ended.payload) }),
              links: stored,
              at,
            }),
          ) as Outcome,
          { headers: callbackHeaders },
        );
        const completion = parseCompletion(formatStoredCompletion(record));
        expect(completion).toMatchObject({ ...ended, token: record.token, closeTime: new Date(at) });
        expect(completion.callbackHeaders).toEqual(callbackHeaders);
        expect(completion.links).toHaveLength(given.length);
      }),
    );
  });

  it('fails for an operation that has not ended, or whose caller polls', () => {
    const record = endedOperation({ state: 'canceled', failure: {}, links: [], at });
    const { outcome: _, ...running } = record;
    expect(() => formatStoredCompletion({ ...running, state: 'claimed' })).toThrow('no outcome yet: it is claimed');
    const { callback: __, ...polled } = record;
    expect(() => formatStoredCompletion(polled)).toThrow('no callback');
  });
});
