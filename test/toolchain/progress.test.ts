import { describe, expect, it } from 'vitest';
import { createProgress } from './progress.ts';

function record(isTTY: boolean) {
  const written: string[] = [];
  let now = 0;
  const progress = createProgress({ isTTY, write: (text) => written.push(text) }, () => now, 'demo  ');
  const pass = (ms: number) => {
    now += ms;
  };
  return { written, progress, pass };
}

describe('progress', () => {
  it('rewrites one line on a terminal, and ends it', () => {
    const { written, progress } = record(true);
    progress.show('1');
    progress.show('2');
    progress.done();
    progress.done();
    expect(written).toEqual(['\r\x1b[Kdemo  1', '\r\x1b[Kdemo  2', '\n']);
  });

  it('writes a line at first and every 15 seconds elsewhere', () => {
    const { written, progress, pass } = record(false);
    for (let second = 0; second <= 30; second++) {
      progress.show(`${second} s`);
      pass(1_000);
    }
    progress.done();
    expect(written).toEqual(['demo  0 s\n', 'demo  15 s\n', 'demo  30 s\n']);
  });
});
