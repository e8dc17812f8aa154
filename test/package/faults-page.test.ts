import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formatRow, ROWS } from '../emulator/queued-life.ts';

it('docs/faults.md has the rows that are played against an emulator, and no others', () => {
  const page = readFileSync(new URL('../../docs/faults.md', import.meta.url), 'utf8');
  expect(page.split('\n').filter((line) => /^\| \w/.test(line))).toEqual(ROWS.map(formatRow));
});
