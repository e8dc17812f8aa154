import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'vitest';
import { patience, useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

describe.concurrent.each(serverVersions)('a handler called by the %s server', (version) => {
  const temporal = useTemporal(version);

  it('knows where it runs, and logs as on a worker', async ({ expect }) => {
    const endpoint = await temporal.createEndpoint(temporal.world.shopUrl);
    const marker = randomUUID();
    const whereabouts = await temporal.resultOf({ endpoint, service: 'echo', operation: 'whereAmI' }, { marker });
    // The endpoint's name is the one that it has at our side: Temporal does not send its own.
    expect(whereabouts).toEqual({ namespace: 'default', taskQueue: 'shop', endpoint: 'shop' });
    const log = () => readFile(temporal.world.shopLog, 'utf8');
    await expect.poll(log, patience).toMatch(new RegExp(`somebody wants to know where this runs[^]{1,200}${marker}`));
  });
});
