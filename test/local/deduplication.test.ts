import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createProject, ordersModule, type RunningDev, startDev } from './project.ts';

const patience = { timeout: 20_000, interval: 20 } as const;
const IMPORTS = `import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';`;
/** Counts its runs in a file, and answers with how many there were, once a file lets it. */
const COUNTED = {
  place: `async () => {
    appendFileSync('runs', 'x');
    const run = String(readFileSync('runs')).length;
    while (existsSync('wait')) await setTimeout(10);
    if (existsSync('fail')) throw new Error('no stock');
    return run;
  }`,
};

function createCounting() {
  const project = createProject({ 'shop.ts': ordersModule(COUNTED, IMPORTS) });
  return { project, path: (name: string) => join(project.folder, name) };
}

async function start(dev: RunningDev, id: string): Promise<{ status: number; value: unknown }> {
  const response = await fetch(`${dev.url}/nexus/endpoints/shop/services/orders/place`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'nexus-request-id': id },
    body: '"tea"',
  });
  return { status: response.status, value: await response.json() };
}

it('runs a repeated start again', async () => {
  const { project } = createCounting();
  const dev = await startDev(project, ['--ephemeral']);
  expect(await start(dev, 'r1')).toEqual({ status: 200, value: 1 });
  expect(await start(dev, 'r1')).toEqual({ status: 200, value: 2 });
});

it('with --deduplicate gives it the answer of the first one, also after SIGKILL, but for a failure', async () => {
  const { project, path } = createCounting();
  const killed = await startDev(project, ['--deduplicate']);
  expect(await start(killed, 'r1')).toEqual({ status: 200, value: 1 });
  expect(await start(killed, 'r1')).toEqual({ status: 200, value: 1 });
  writeFileSync(path('fail'), '');
  expect(await start(killed, 'r2')).toMatchObject({ status: 500 });
  killed.killGroup('SIGKILL');
  await killed.exited;
  const dev = await startDev(project, ['--deduplicate']);
  expect(await start(dev, 'r1')).toEqual({ status: 200, value: 1 });
  expect(readFileSync(path('runs'), 'utf8')).toBe('xx');
});

it('with --deduplicate lets a repetition wait for the first one', async () => {
  const { project, path } = createCounting();
  const dev = await startDev(project, ['--deduplicate', '--ephemeral']);
  writeFileSync(path('wait'), '');
  const first = start(dev, 'r1');
  await expect.poll(() => existsSync(path('runs')), patience).toBe(true);
  const second = start(dev, 'r1');
  unlinkSync(path('wait'));
  expect(await first).toEqual({ status: 200, value: 1 });
  expect(await second).toEqual({ status: 200, value: 1 });
});
