import { afterAll, beforeAll, it } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';
import { startTemporalCallers, type TemporalCallers } from './temporal-callers.ts';
import { awsClient } from './nexus-call.ts';
import { rootOf } from './emulated-api.ts';
let app: QueuedApp; let temporal: TemporalCallers;
beforeAll(async () => {
  [app, temporal] = await Promise.all([deployQueuedApp(), startTemporalCallers()]);
  for (const endpoint of ['warehouse', 'outage']) await temporal.createEndpoint(endpoint, app.targetUrl(endpoint));
});
afterAll(async () => { await temporal?.stop(); await app?.stop(); });
async function logs(name: string) {
  const r = await awsClient(app.emulator, 'logs').fetch(app.emulator.url, { method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.DescribeLogGroups' }, body: '{}' });
  const groups = ((await r.json()) as any).logGroups.map((g: any) => g.logGroupName).filter((n: string) => n.includes(name));
  for (const g of groups) {
    const e = await awsClient(app.emulator, 'logs').fetch(app.emulator.url, { method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.FilterLogEvents' }, body: JSON.stringify({ logGroupName: g }) });
    console.log(g, ((await e.json()) as any).events?.map((x: any) => x.message).join('\n').slice(-3000));
  }
}
it('x', async () => {
  const path = '/nexus/endpoints/warehouse/services/warehouse/store';
  const a = await app.api.call(path, { credentials: rootOf(app.emulator), headers: { prefer: 'respond-async' }, body: '{"item":"x"}' });
  console.log(a.status, a.text);
  const b = await app.api.call(`/basic${path}?callback=${encodeURIComponent('http://127.0.0.1:1/x')}`, { credentials: { kind: 'basic', user: 'warehouse', password: 'password' }, body: '{"item":"x"}' });
  console.log(b.status, b.text);
  const c = await temporal.call({ endpoint: 'warehouse', service: 'warehouse', operation: 'store' }, { item: 'y' });
  await delay(5000);
  console.log(JSON.stringify((await c.describe()).raw.pendingNexusOperations));
  console.log(app.aws.takeCalls());
  console.log(JSON.stringify(await app.record((a.json as any)?.token ?? '')));
  for (const q of [app.outputs.WarehouseQueue, app.outputs.CompletionQueue]) console.log(q, await app.messages(q));
  await logs('Warehouse'); await logs('Operations'); await logs('Router');
}, 60000);
