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
      on: (signal, listener) => signals.on(signal, () => listener(signal)),
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

it('exits at once on a second SIGINT', () => {
  const { signals, clock, codes } = setUp();
  signals.emit('SIGINT');
  clock.nowMs = 1_000;
  signals.emit('SIGINT');
  expect(codes).toEqual([130]);
});

it('takes a SIGINT that npm passes on for the same keypress', () => {
  const { signals, clock, codes, closings } = setUp();
  signals.emit('SIGINT');
  clock.nowMs = 20;
  signals.emit('SIGINT');
  expect(codes).toEqual([]);
  expect(closings()).toBe(1);
});

it('waits on after a second SIGTERM', () => {
  const { signals, clock, codes } = setUp();
  signals.emit('SIGTERM');
  clock.nowMs = 1_000;
  signals.emit('SIGTERM');
  expect(codes).toEqual([]);
});
