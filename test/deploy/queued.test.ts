import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';
import { startTemporalCallers, type TemporalCallers } from './temporal-callers.ts';

let app: QueuedApp;
let temporal: TemporalCallers;

beforeAll(async () => {
  [app, temporal] = await Promise.all([deployQueuedApp(), startTemporalCallers()]);
  for (const endpoint of ['warehouse', 'outage']) await temporal.createEndpoint(endpoint, app.targetUrl(endpoint));
});
afterAll(async () => {
  await temporal?.stop();
  await app?.stop();
});

const warehouse = (operation: string) => ({ endpoint: 'warehouse', service: 'warehouse', operation });

describe('a queued operation', () => {
  it('succeeds', async () => {
    const caller = await temporal.call(warehouse('store'), { item: 'a book' });
    expect(await caller.result()).toEqual({ stored: 'a book' });
    expect(await temporal.operationEvents(caller)).toEqual(['Scheduled', 'Started', 'Completed']);
  });
});
