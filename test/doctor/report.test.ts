import { expect, it } from 'vitest';
import { formatAdvice, formatFinding, formatJson, isWell } from '../../src/doctor/report.ts';
import type { TimedFinding } from '../../src/doctor/walk.ts';

const well: TimedFinding = { hop: 'address', status: 'ok', says: 'it answers', ms: 3.6 };
const broken: TimedFinding = { hop: 'route', status: 'fail', says: 'no', why: 'Because.', type: ['a', '  b'], ms: 1 };
const alsoBroken: TimedFinding = { hop: 'temporal', status: 'fail', says: 'no', why: 'Other.' };
const skipped: TimedFinding = { hop: 'temporal', status: 'skip', says: 'no server', type: ['c'] };

it('writes a line for each hop, in columns', () => {
  expect([well, broken, skipped].map(formatFinding)).toEqual([
    'ok    address                4 ms  it answers',
    'fail  route                  1 ms  no',
    'skip  temporal                     no server',
  ]);
});

it('says of the first broken hop why it is, and what to type', () => {
  expect(formatAdvice([well, skipped, broken, alsoBroken])).toBe(
    'The broken hop is "route". Because.\n\nType:\n  a\n    b',
  );
  expect(formatAdvice([well, alsoBroken])).toBe('The broken hop is "temporal". Other.');
});

it('says what to type for what was not looked at, where nothing is broken', () => {
  expect(formatAdvice([well, skipped])).toBe('Nothing is broken; "temporal" was not looked at.\n\nType:\n  c');
  expect(formatAdvice([well])).toBe('Every hop is well.');
});

it('is well unless a hop failed', () => {
  expect(isWell([well, skipped])).toBe(true);
  expect(isWell([well, broken])).toBe(false);
  expect(JSON.parse(formatJson('http://host', [well, broken]))).toEqual({
    url: 'http://host',
    ok: false,
    hops: [well, broken],
  });
});
