import fc from 'fast-check';
import { HandlerError } from 'nexus-rpc';
import { expect, it } from 'vitest';
import { formatPosition } from '../../src/operations/list-position.ts';
import {
  COMPLETION_STATES,
  MAX_LIST_LIMIT,
  OPERATION_STATES,
  parseListQuery,
} from '../../src/router/operation-query.ts';

it('lists 50 operations of any kind where nothing is asked for', () => {
  expect(parseListQuery('')).toEqual({ filter: {}, limit: 50 });
});

const time = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) });
const query = fc.record(
  {
    endpoint: fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,20}[a-zA-Z0-9]$/),
    state: fc.constantFrom(...OPERATION_STATES),
    completion: fc.constantFrom(...COMPLETION_STATES),
    acceptedFrom: time,
    acceptedBefore: time,
    limit: fc.integer({ min: 1, max: MAX_LIST_LIMIT }),
    from: fc
      .record({ acceptedAt: time, token: fc.string({ unit: 'grapheme', minLength: 1 }) })
      .map((place) => formatPosition(place)),
  },
  { requiredKeys: [] },
);

it.each([
  ['milliseconds', (ms: number) => String(ms)],
  ['ISO 8601 in UTC', (ms: number) => new Date(ms).toISOString()],
  ['ISO 8601 with an offset', (ms: number) => new Date(ms + 5_400_000).toISOString().replace('Z', '+01:30')],
])('reads what was written, with times in %s', (_form, formatTime) => {
  fc.assert(
    fc.property(query, ({ limit, from, ...filter }) => {
      const parameters = Object.entries({ ...filter, limit, from }).filter(([, value]) => value !== undefined);
      const written = parameters.map(([name, value]) => [
        name,
        name.startsWith('accepted') ? formatTime(Number(value)) : String(value),
      ]);
      expect(parseListQuery(String(new URLSearchParams(Object.fromEntries(written))))).toEqual({
        filter,
        limit: limit ?? 50,
        ...(from !== undefined && { from }),
      });
    }),
  );
});

it.each([
  ['stat=queued', 'there is no parameter "stat"; allowed here: endpoint, state, completion,'],
  ['state=', 'state is ""; it takes queued, claimed, handed-over, dead-lettered, ended'],
  ['state=failed', 'state is "failed"; it takes queued,'],
  ['completion=lost', 'completion is "lost"; it takes pending, delivered, refused, dead-lettered'],
  ['endpoint=', 'endpoint is ""; it takes the name of an endpoint'],
  ['limit=0', 'limit is "0"; it takes a number from 1 to 100'],
  ['limit=101', 'it takes a number from 1 to 100'],
  ['limit=1e2', 'it takes a number from 1 to 100'],
  ['acceptedFrom=yesterday', 'acceptedFrom is "yesterday"; it takes a time such as "2026-01-31T09:30:00Z"'],
  ['acceptedBefore=2026-01-31', 'acceptedBefore is "2026-01-31"; it takes a time'],
  ['acceptedBefore=2026-01-31T09:30:00', 'it takes a time'],
  ['acceptedBefore=2026-13-31T09:30:00Z', 'it takes a time'],
  ['from=here', 'from is "here"; it takes the `next` of the page before'],
  ['state=queued&state=ended', 'state is given twice'],
])('refuses %s, saying what is allowed', (text, message) => {
  expect(() => parseListQuery(text)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
});

it('refuses what is a parameter elsewhere, and not here: it would narrow nothing', () => {
  expect(() => parseListQuery('state=queued', ['endpoint'])).toThrow(
    'there is no parameter "state"; allowed here: endpoint',
  );
});

it('fails with a HandlerError and nothing else, whatever the query is', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webQueryParameters()), (text) => {
      try {
        parseListQuery(text);
      } catch (error) {
        expect(error).toBeInstanceOf(HandlerError);
      }
    }),
  );
});
