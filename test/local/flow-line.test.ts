import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { formatFlowLine, terminalFlow } from '../../src/local/flow-line.ts';
import type { FlowLine } from '../../src/router/flow-lines.ts';

const FILE = new Writable();
const TERMINAL = Object.assign(new Writable(), { isTTY: true, getColorDepth: () => 8 });
const said = (event: FlowLine['event'], unsaid = 0) => formatFlowLine({ event, unsaid }, FILE);
const REQUEST = { endpoint: 'shop', principal: 'local' } as const;
const OPENED = { kind: 'circuit-changed', endpoint: 'shop', from: 'closed', to: 'open', why: 'no\nstock' } as const;

it('says how a circuit changed, why, and who did it by hand', () => {
  expect(said(OPENED)).toBe('shop  circuit closed → open  no stock');
  expect(said({ ...OPENED, why: 'a drill', by: 'local' })).toBe('shop  circuit closed → open  a drill (by local)');
});

it.each([
  ['rate', 'more starts a second than its limit'],
  ['concurrency', 'as many operations run as its limit'],
  ['circuit', 'its circuit is open'],
  ['paused', 'it is paused'],
  ['throttled', 'its handler has no capacity left'],
] as const)('says why a request was refused or queued: %s', (reason, words) => {
  expect(said({ kind: 'refused', reason, ...REQUEST })).toBe(`shop  refused: ${words}`);
  expect(said({ kind: 'absorbed', reason, ...REQUEST }, 3)).toBe(
    `shop  queued instead: ${words}  and 3 more since the last line of this`,
  );
  expect(said({ kind: 'deferred', reason, ...REQUEST }, 7)).toBe(
    `shop  queued attempt waits: ${words}  and 7 more since the last line of this`,
  );
});

it('says of what else was queued or promoted', () => {
  expect(said({ kind: 'absorbed', reason: 'failure', ...REQUEST })).toBe('shop  queued instead: the handler failed');
  expect(said({ kind: 'promoted', ...REQUEST })).toBe('shop  answered with a token at its deadline');
});

it('is in colour on a terminal only', () => {
  expect(formatFlowLine({ event: OPENED, unsaid: 0 }, TERMINAL)).toContain('\u001b[31m');
});

it('comes on the terminal once a second for what is alike', () => {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const clock = { time: 0, now: () => clock.time };
  const emit = terminalFlow(stream, clock);
  for (let n = 0; n < 4; n++) emit({ kind: 'refused', reason: 'rate', ...REQUEST });
  clock.time += 1_000;
  emit({ kind: 'refused', reason: 'rate', ...REQUEST });
  expect(lines).toEqual([
    'shop  refused: more starts a second than its limit\n',
    'shop  refused: more starts a second than its limit  and 3 more since the last line of this\n',
  ]);
});
