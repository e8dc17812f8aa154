import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createProject, ordersModule, startDev } from './project.ts';

const IMPORTS = "import { existsSync } from 'node:fs';";
/** Fails until a file is there. */
const FAILING = `async () => {
  if (!existsSync('mended')) throw new Error('the bank is down');
  return 'placed';
}`;

it('queues a call whose handler fails where its caller takes a token, and tells every other one', async () => {
  const project = createProject({ 'shop.ts': ordersModule({ place: FAILING, quote: FAILING }, IMPORTS) });
  const dev = await startDev(project, ['--absorb-failures', 'orders/place', '--ephemeral']);
  async function call(operation: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${dev.url}/nexus/endpoints/shop/services/orders/${operation}`, {
      method: 'POST',
      headers,
    });
    return { status: response.status, value: (await response.json()) as { readonly token?: string } };
  }
  const RESPOND_ASYNC = { prefer: 'respond-async' };
  expect(await call('place')).toMatchObject({ status: 500, value: { message: 'the bank is down' } });
  expect(await call('quote', RESPOND_ASYNC)).toMatchObject({ status: 500 });

  const { status, value } = await call('place', RESPOND_ASYNC);
  expect(status).toBe(201);
  await dev.line(/^shop {2}queued instead: the handler failed/);
  writeFileSync(join(project.folder, 'mended'), '');
  const result = await fetch(`${dev.url}/nexus/endpoints/shop/services/orders/place/result?wait=20s`, {
    headers: { 'nexus-operation-token': value.token! },
  });
  expect({ status: result.status, value: await result.json() }).toEqual({ status: 200, value: 'placed' });
});

it('names an operation that the module does not have', async () => {
  const project = createProject({ 'shop.ts': ordersModule({ place: FAILING }, IMPORTS) });
  const dev = await startDev(project, ['--absorb-failures', 'orders/plaice', '--ephemeral']);
  expect(dev.output()).toContain(
    '--absorb-failures orders/plaice: the module has no such operation; it has orders/place',
  );
});
