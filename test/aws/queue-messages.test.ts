import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatCompletionMessage,
  formatWakeUp,
  parseCompletionMessage,
  parseWakeUp,
} from '../../src/aws/queue-messages.ts';
import { endedOperation } from '../operations/ended-operation.ts';

const MEBIBYTE = 1024 * 1024;
/** What SQS takes in a message: the characters of XML 1.0. */
const CHARACTERS = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u;

const text = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.constantFrom('\ufffe', 'a\uffff', '\0'));
const wakeUp = fc.record(
  {
    table: text,
    token: text,
    attempt: fc.integer({ min: 1 }),
    reason: text,
    from: fc.record({ table: text, endpoint: text, principal: text }),
  },
  { requiredKeys: ['table', 'token', 'attempt', 'from'] },
);

/** An operation that failed with this message. */
function failed(message: string) {
  const outcome = { state: 'failed', failure: { message }, links: [], at: 1 } as const;
  return endedOperation(outcome, { url: 'https://a.example.com/', headers: { token: 't' } });
}

describe('a wake-up', () => {
  it('is read as it was written, and is what SQS takes', () => {
    fc.assert(
      fc.property(wakeUp, (message) => {
        const body = formatWakeUp(message);
        expect(body).toMatch(CHARACTERS);
        expect(parseWakeUp(body)).toEqual({ nexusWakeUp: 1, ...message });
      }),
    );
  });

  it.each([
    'hello',
    'null',
    '[]',
    '{}',
    '{"nexusWakeUp":2,"table":"t","token":"o","attempt":1}',
    '{"nexusWakeUp":1,"table":"t","token":"o","attempt":"1","from":{"table":"e","endpoint":"s","principal":"p"}}',
    '{"nexusWakeUp":1,"table":"t","token":"o","attempt":1}',
    '{"nexusWakeUp":1,"table":"","token":"o","attempt":1,"from":{"table":"e","endpoint":"s","principal":"p"}}',
    '{"nexusWakeUp":1,"table":"t","token":"o","attempt":1,"from":{"table":"e"}}',
    '{"nexusCompletion":1,"table":"t","token":"o"}',
  ])('of somebody else is refused with its beginning: %s', (body) => {
    expect(() => parseWakeUp(body)).toThrow(
      new TypeError(`a message that nexus-lambda did not send is in its queue: ${body}; take it out there`),
    );
  });

  it('of somebody else fails with a TypeError whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        expect(() => parseWakeUp(body)).toThrow(TypeError);
      }),
    );
  });
});

describe('a completion', () => {
  it('carries its record, less what the handler was given', () => {
    fc.assert(
      fc.property(text, (message) => {
        const record = failed(message);
        const body = formatCompletionMessage('operations', record);
        expect(body).toMatch(CHARACTERS);
        expect(parseCompletionMessage(body)).toEqual({
          nexusCompletion: 1,
          table: 'operations',
          token: record.token,
          record: { ...record, start: { ...record.start, headers: {}, query: '', body: '' } },
        });
      }),
    );
  });

  it('names its record where that is large, and fits into a message in any case', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', '€', '"', '\u0001', '😀'),
        fc.integer({ max: 400_000, min: 0 }),
        (one, count) => {
          const record = failed(one.repeat(count));
          const body = formatCompletionMessage('operations', record);
          expect(Buffer.byteLength(body)).toBeLessThan(MEBIBYTE);
          const { record: carried, ...named } = parseCompletionMessage(body);
          expect(named).toEqual({ nexusCompletion: 1, table: 'operations', token: record.token });
          if (carried === undefined) expect(JSON.stringify(record).length).toBeGreaterThan(190_000);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each(['hello', '{"nexusWakeUp":1,"table":"t","token":"o","attempt":1}', '{"nexusCompletion":1,"token":"o"}'])(
    'of somebody else is refused: %s',
    (body) => {
      expect(() => parseCompletionMessage(body)).toThrow(TypeError);
    },
  );
});
