import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import { closeOnSignal } from '../../src/cli/stop-signals.ts';

function setUp() {
  const signals = new EventEmitter();
  const closed = Promise.withResolvers<void>();
  const clock = { nowMs: 0 };
  const codes: number[] = [];
  let closings = 0;
  closeOnSignal(
    () => {
      closings++;
      return closed.promise;
    },
    {
      on: (signal, listener) => signals.on(signal, listener),
      exit(code) {
        codes.push(code);
        signals.emit('exit');
      },
      now: () => clock.nowMs,
      say: () => {},
    },
  );
  return { signals, closed, clock, codes, closings: () => closings };
}

it.each(['SIGTERM', 'SIGINT'])('exits with 0 after everything is closed on %s', async (signal) => {
  const { signals, closed, codes, closings } = setUp();
  signals.emit(signal);
  expect(closings()).toBe(1);
  expect(codes).toEqual([]);
  const exited = once(signals, 'exit');
  closed.resolve();
  await exited;
  expect(codes).toEqual([0]);
});

it.each([
  ['SIGINT', 'SIGINT', 130],
  ['SIGTERM', 'SIGINT', 130],
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGINT', 'SIGTERM', 143],
])('exits at once when %s is followed by %s, with the code of the second', (first, second, code) => {
  const { signals, clock, codes } = setUp();
  signals.emit(first);
  clock.nowMs = 1_000;
  signals.emit(second);
  expect(codes).toEqual([code]);
});

it.each(['SIGINT', 'SIGTERM'])('takes a %s that npm passes on for the same one', (signal) => {
  const { signals, clock, codes, closings } = setUp();
  signals.emit(signal);
  clock.nowMs = 20;
  signals.emit(signal);
  expect(codes).toEqual([]);
  expect(closings()).toBe(1);
});
