import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import { createFlowLines, type FlowLine } from '../../src/router/flow-lines.ts';

const REFUSED: FlowEvent = { kind: 'refused', endpoint: 'shop', reason: 'rate', principal: 'basic:shop' };
const OPENED: FlowEvent = { kind: 'circuit-changed', endpoint: 'shop', from: 'closed', to: 'open', why: 'no answer' };

function setUp() {
  const clock = { time: 1_000_000, now: () => clock.time };
  const lines: FlowLine[] = [];
  return { clock, lines, emit: createFlowLines(clock, (line) => lines.push(line)) };
}

describe('lines of flow control', () => {
  it('say each change of a circuit, however often it changes', () => {
    const { lines, emit } = setUp();
    for (let n = 0; n < 5; n++) emit(OPENED);
    expect(lines).toEqual(Array.from({ length: 5 }, () => ({ event: OPENED, unsaid: 0 })));
  });

  it('say the first refusal, then one a second, with those left unsaid', () => {
    const { clock, lines, emit } = setUp();
    for (let n = 0; n < 100; n++) {
      emit(REFUSED);
      clock.time += 30;
    }
    expect(lines.map(({ unsaid }) => unsaid)).toEqual([0, 33, 33]);
  });

  it('say the first of each endpoint, kind and reason', () => {
    const { lines, emit } = setUp();
    const others: FlowEvent[] = [
      REFUSED,
      { ...REFUSED, endpoint: 'stock' },
      { ...REFUSED, reason: 'circuit' },
      { kind: 'absorbed', endpoint: 'shop', reason: 'rate', principal: 'a' },
      { kind: 'deferred', endpoint: 'shop', reason: 'rate', principal: 'a' },
      { kind: 'promoted', endpoint: 'shop', principal: 'a' },
    ];
    for (const event of [...others, ...others]) emit(event);
    expect(lines.map(({ event }) => event)).toEqual(others);
  });

  it('say nothing of what a limit has left', () => {
    const { lines, emit } = setUp();
    emit({ kind: 'headroom', endpoint: 'shop', of: 'rate', left: 1, limit: 2 });
    expect(lines).toEqual([]);
  });

  it('go on after a clock that was set back', () => {
    const { clock, lines, emit } = setUp();
    emit(REFUSED);
    clock.time -= 3_600_000;
    emit(REFUSED);
    expect(lines).toHaveLength(2);
  });

  it('account for every event: those said, and those counted as unsaid by the next line', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(700), { minLength: 1, maxLength: 200 }), (pausesMs) => {
        const { clock, lines, emit } = setUp();
        for (const ms of pausesMs) {
          emit(REFUSED);
          clock.time += ms;
        }
        clock.time += 1_000;
        emit(REFUSED);
        const accounted = lines.reduce((sum, { unsaid }) => sum + 1 + unsaid, 0);
        expect(accounted).toBe(pausesMs.length + 1);
        const spanMs = pausesMs.reduce((sum, ms) => sum + ms, 0) + 1_000;
        expect(lines.length).toBeLessThanOrEqual(1 + spanMs / 1_000);
      }),
    );
  });
});
