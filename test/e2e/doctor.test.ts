import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCommandLine } from '../cli/command-line.ts';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { type StartTemporalOptions, startTemporal } from '../toolchain/temporal-server.ts';
import { startDevServer } from './dev-server.ts';
import { broken, doctor, gateway, handlerOf, httpApi, notWell, PATH } from './doctor-walk.ts';
import { patience, useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

describe.each(serverVersions)('the doctor, of an operation on Temporal %s', (version) => {
  const server = useTemporal(version);
  const { address } = server.world;
  const running = async () => {
    const query = 'WorkflowType STARTS_WITH "nexus-lambda-doctor" AND ExecutionStatus = "Running"';
    const ids: string[] = [];
    for await (const { workflowId } of server.client.workflow.list({ query })) ids.push(workflowId);
    return ids;
  };

  it.each(['shopUrl', 'vaultUrl'] as const)('finds every hop well of nexus-lambda dev (%s)', async (module) => {
    const url = server.world[module];
    await server.createEndpoint(url);
    expect(notWell(await doctor(url, { temporalAddress: address }))).toEqual([]);
  });

  it('finds every hop well of a Lambda handler in nexus-lambda dev', async () => {
    const logFile = join(temporaryFolder(), 'dev.log');
    const dev = await startDevServer({
      module: 'services/lambda.ts',
      endpoint: 'lambda',
      temporalAddress: address,
      logFile,
    });
    onTestFinished(() => dev.stop());
    await server.createEndpoint(dev.url);
    expect(notWell(await doctor(dev.url, { temporalAddress: address }))).toEqual([]);
  });

  it('finds every hop well of a gateway with HTTP Basic', async () => {
    const urlAs = await gateway({ handler: handlerOf(address) });
    await server.createEndpoint(urlAs('shop:s3cret'));
    expect(notWell(await doctor(urlAs('shop:s3cret'), { temporalAddress: address }))).toEqual([]);
  });

  it('finds every hop well of an HTTP API without a router, whose handler has no Temporal', async () => {
    const url = await httpApi(handlerOf());
    await server.createEndpoint(url);
    expect(notWell(await doctor(url, { temporalAddress: address }))).toEqual([
      'skip handler-temporal',
      'skip allowed-addresses',
      'skip way-back',
    ]);
  });

  it('leaves no workflow behind', async () => {
    await expect.poll(running, patience).toEqual([]);
  });
});

describe('the doctor finds', () => {
  const { world, createEndpoint } = useTemporal('new');
  const { address, shopUrl } = world;

  it('1. a wrong port', async () => {
    const [port] = await freePorts(1);
    expect(broken(await doctor(`http://127.0.0.1:${port}${PATH}`))).toMatchObject({
      hop: 'address',
      says: `nothing takes connections at 127.0.0.1:${port} (ECONNREFUSED)`,
      type: `npx nexus-lambda dev MODULE --endpoint shop --port ${port}`,
    });
  });

  it('2. a wrong password', async () => {
    const urlAs = await gateway();
    expect(broken(await doctor(urlAs('shop:wrong')))).toMatchObject({
      hop: 'credentials',
      says: 'refused with 403: Forbidden',
      why: expect.stringContaining('user "shop"'),
      type: expect.stringContaining(`npx nexus-lambda doctor --url ${urlAs('shop:PASSWORD')}`),
    });
  });

  it('3. a caller that the endpoint does not let in', async () => {
    const urlAs = await gateway();
    expect(broken(await doctor(urlAs('guest:s3cret2')))).toMatchObject({
      hop: 'credentials',
      says: expect.stringContaining('"basic:guest" is not among the callers of endpoint "shop"'),
      type: expect.stringContaining("NexusCaller.basic('guest')"),
    });
  });

  it('4. an endpoint that nobody has', async () => {
    const url = shopUrl.replace('/shop/', '/shoop/');
    expect(broken(await doctor(url))).toMatchObject({
      hop: 'route',
      says: 'no endpoint is named "shoop"; there is "shop"',
      type: `npx nexus-lambda doctor --url ${shopUrl}`,
    });
  });

  it('5. a path that no route has', async () => {
    const urlAs = await gateway();
    expect(broken(await doctor(urlAs('shop:s3cret', `/prod/basic${PATH}`)))).toMatchObject({
      hop: 'route',
      says: 'nothing is at this path: Not Found (404)',
    });
  });

  it('6. a path without /basic, with user and password', async () => {
    const urlAs = await gateway();
    expect(broken(await doctor(urlAs('shop:s3cret', PATH)))).toMatchObject({
      hop: 'credentials',
      type: `npx nexus-lambda doctor --url ${urlAs('shop:PASSWORD')}`,
    });
  });

  it('7. a redirect, which Temporal would follow with a GET', async () => {
    const server = createServer((request, response) =>
      response.writeHead(308, { location: `https://shop.example${request.url}` }).end(),
    ).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    expect(broken(await doctor(`http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`))).toMatchObject({
      hop: 'route',
      says: expect.stringContaining('redirected to https://shop.example/nexus/endpoints/shop/services/'),
      type: `npx nexus-lambda doctor --url https://shop.example${PATH}`,
    });
  });

  it('8. a module that does not load', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'shop.mjs'), "throw new Error('no DATABASE_URL');");
    const dev = runCommandLine(cwd, ['dev', 'shop.mjs', '--port', '0', '--ephemeral']);
    const listening = await dev.line(/^listening on/);
    expect(broken(await doctor(listening.replace('listening on ', '') + PATH))).toMatchObject({
      hop: 'handler',
      says: expect.stringContaining('no DATABASE_URL'),
      type: expect.stringContaining('terminal of nexus-lambda dev'),
    });
  });

  it('9. a handler that does not reach Temporal', async () => {
    const [port] = await freePorts(1);
    const url = await httpApi(handlerOf(`127.0.0.1:${port}`));
    const walk = await doctor(url, { temporalAddress: address });
    expect(broken(walk)).toMatchObject({
      hop: 'handler-temporal',
      says: `the handler cannot use Temporal at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port} (gRPC status 14)`,
      type: expect.stringContaining('npx nexus-lambda dev MODULE --temporal-address HOST:7233'),
    });
  });

  it("10. a namespace of the handler's that does not exist", async () => {
    const url = await httpApi(handlerOf(address, 'nowhere'));
    expect(broken(await doctor(url))).toMatchObject({
      hop: 'handler-temporal',
      says: expect.stringContaining('Namespace nowhere is not found.'),
      type: expect.stringContaining(`temporal operator namespace create --namespace nowhere --address ${address}`),
    });
  });

  it('11. a Temporal server that does not answer here', async () => {
    const [port] = await freePorts(1);
    expect(broken(await doctor(shopUrl, { temporalAddress: `127.0.0.1:${port}` }))).toMatchObject({
      hop: 'temporal',
      says: expect.stringContaining('ECONNREFUSED'),
      type: expect.stringContaining('npx nexus-lambda doctor … --temporal-address HOST:7233'),
    });
  });

  it('12. a URL that Temporal has no endpoint for', async () => {
    const url = await httpApi(handlerOf());
    expect(broken(await doctor(url, { temporalAddress: address }))).toMatchObject({
      hop: 'nexus-endpoint',
      says: 'Temporal has no Nexus endpoint with this URL',
      type: `temporal operator nexus endpoint create --name shop --target-url ${url} --address ${address}`,
    });
  });

  it('13. a Nexus endpoint whose target is the URL without /basic', async () => {
    const urlAs = await gateway();
    const url = urlAs('shop:s3cret');
    const name = await createEndpoint(url.replace('/basic', ''));
    expect(broken(await doctor(url, { temporalAddress: address }))).toMatchObject({
      hop: 'nexus-endpoint',
      says: expect.stringContaining(`Temporal knows "${name}" with another URL`),
      type: expect.stringContaining(
        `temporal operator nexus endpoint update --name ${name} --target-url ${urlAs('shop:PASSWORD')} --address ${address}`,
      ),
    });
  });

  it('14. a Nexus endpoint with another password', async () => {
    const urlAs = await gateway();
    const name = await createEndpoint(urlAs('shop:0ld'));
    const walk = await doctor(urlAs('shop:s3cret'), { temporalAddress: address });
    expect(walk.hops.find(({ hop }) => hop === 'nexus-endpoint')?.says).toContain('with another password');
    expect(broken(walk)).toMatchObject({
      hop: 'call',
      says: "Temporal's call fails: Forbidden",
      type: expect.stringContaining(
        `temporal operator nexus endpoint update --name ${name} --target-url ${urlAs('shop:PASSWORD')} --address ${address}`,
      ),
    });
  });
});

describe('the doctor finds in the settings of a server', () => {
  async function serverWith(options: StartTemporalOptions) {
    const server = await startTemporal(options);
    const connection = Connection.lazy({ address: server.address });
    const url = await httpApi(handlerOf(server.address));
    await connection.operatorService.createNexusEndpoint({ spec: { name: 'shop', target: { external: { url } } } });
    onTestFinished(async () => {
      await connection.close();
      await server.stop();
    });
    return { ...server, url, connection };
  }

  it('15. no callback template, and ends its workflow on Ctrl-C too', async () => {
    const { address, url, connection } = await serverWith({ version: 'new', settings: TEMPLATE_OF(undefined) });
    const walk = await doctor(url, { temporalAddress: address, timeoutMs: 3_000 });
    expect(broken(walk)).toMatchObject({
      hop: 'callback-template',
      says: expect.stringContaining('stays scheduled, without an attempt'),
      type: expect.stringContaining(
        `component.nexusoperations.callback.endpoint.template: [{ value: "http://127.0.0.1:7243/namespaces/{{.NamespaceName}}/nexus/callback" }]`,
      ),
    });

    const command = runCommandLine(temporaryFolder(), ['doctor', '--url', url, '--temporal-address', address]);
    const client = new Client({ connection });
    const running = async () => (await client.workflow.count('ExecutionStatus = "Running"')).count;
    await command.line(/^ok +nexus-endpoint/);
    await expect.poll(running, patience).toBe(1);
    command.kill('SIGINT');
    expect(await command.exited).toMatchObject({ code: 130 });
    await expect.poll(running, patience).toBe(0);
  });

  it('16. a callback address that is not allowed, by the name that the setting had in 1.29', async () => {
    const { address, url, httpPort } = await serverWith({ version: 'old', settings: ALLOWED_OF([]) });
    expect(broken(await doctor(url, { temporalAddress: address }))).toMatchObject({
      hop: 'allowed-addresses',
      says: `completions may not go to http://127.0.0.1:${httpPort}/namespaces/default/nexus/callback`,
      type: expect.stringContaining(
        `component.callbacks.allowedAddresses: [{ value: [{"Pattern":"127.0.0.1:${httpPort}","AllowInsecure":true}] }]`,
      ),
    });
  });

  it('17. a callback template that leads nowhere', async () => {
    const [port] = await freePorts(1);
    const template = `http://127.0.0.1:${port}/namespaces/{{.NamespaceName}}/nexus/callback`;
    const { address, url } = await serverWith({ version: 'new', settings: TEMPLATE_OF(template) });
    expect(broken(await doctor(url, { temporalAddress: address }))).toMatchObject({
      hop: 'way-back',
      says: expect.stringContaining(`http://127.0.0.1:${port}/namespaces/default/nexus/callback: dial tcp`),
      type: expect.stringContaining('nexusoperation.callback.endpoint.template'),
    });
  });
});

const TEMPLATE_OF = (template: string | undefined) => ({
  'component.nexusoperations.callback.endpoint.template': template,
  'nexusoperation.callback.endpoint.template': template,
});

const ALLOWED_OF = (rules: readonly unknown[]) => ({
  'component.callbacks.allowedAddresses': rules,
  'callback.allowedAddresses': rules,
});

describe('the command', () => {
  it('writes a line for each hop, says what to type, and exits with 1 where one is broken', async () => {
    const [port] = await freePorts(1);
    const url = `http://shop:s3cret@127.0.0.1:${port}`;
    const command = runCommandLine(temporaryFolder(), ['doctor', '--url', url, '--endpoint', 'shop']);
    expect(await command.exited).toMatchObject({ code: 1 });
    const output = command.output();
    expect(output.split('\n').map((line) => line.split(/ +/)[0])).toEqual(
      expect.arrayContaining(['fail', 'skip', 'Type:']),
    );
    expect(output).toContain('The broken hop is "address".');
    expect(output).not.toContain('s3cret');
  });
});
