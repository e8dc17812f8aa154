import { describe, expect, it } from 'vitest';
import { type TokenAsk, takeTokens } from '../../src/router/tokens.ts';

const NOW = 1_000_000_000;

/** Ten a second, five at once. */
const ask = (members: Partial<TokenAsk> = {}): TokenAsk => ({
  nowUs: NOW,
  intervalUs: 100_000,
  lifeUs: 400_000,
  count: 1,
  leftUs: 0,
  ...members,
});

const taken = (firstUs: number, count = 1) => ({ kind: 'taken', firstUs, nextUs: firstUs + count * 100_000 });

describe('tokens', () => {
  it.each([
    ['the oldest that still lives, where nothing is stored', undefined, ask(), taken(NOW - 400_000)],
    ['the oldest that still lives, where those before it are gone', NOW - 400_001, ask(), taken(NOW - 400_000)],
    ['the next one, where some of those that live were taken', NOW - 123_456, ask(), taken(NOW - 123_456)],
    ['the last one', NOW, ask(), taken(NOW)],
    ['the oldest that lives for as long as is needed', undefined, ask({ leftUs: 300_000 }), taken(NOW - 100_000)],
    ['several, those that are due later among them', NOW, ask({ count: 3 }), taken(NOW, 3)],
    ['the one that is minted now, where the burst is one', undefined, ask({ lifeUs: 0 }), taken(NOW)],
  ])('are taken: %s', (_, stored, wish, answer) => {
    expect(takeTokens(stored, wish)).toEqual(answer);
  });

  it.each([
    ['before the next one is minted', NOW + 1],
    ['before those that another environment took ahead', NOW + 200_000],
    ['while a clock is ahead by up to five seconds', NOW + 5_200_000],
  ])('are refused %s', (_, stored) => {
    expect(takeTokens(stored, ask())).toEqual({ kind: 'refused', nextUs: stored });
  });

  it('begin anew, without a burst, where what is stored is further ahead than that', () => {
    expect(takeTokens(NOW + 5_200_001, ask())).toEqual(taken(NOW));
    expect(takeTokens(NOW + 86_400_000_000, ask({ count: 2 }))).toEqual(taken(NOW, 2));
  });
});
