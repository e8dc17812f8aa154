import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetSecretValueCommand, ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cdkBootstrap, cdkDeploy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { emulatedApi, rootOf } from './emulated-api.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

/** What the guide takes as there: the service handler of whoever reads it. */
const ORDERS_HANDLER = `
import { operation, service, serviceHandler } from 'nexus-rpc';

const orders = service('orders', { place: operation<{ item: string }, { placed: string }>() });
export const ordersHandler = serviceHandler(orders, { place: async (_ctx, { item }) => ({ placed: item }) });
`;

let folder: string;
let emulator: Ministack | undefined;

/** The TypeScript of the guide, in its order. */
async function programsOfGuide(): Promise<string[]> {
  const guide = await readFile(join(root, 'docs/deploy.md'), 'utf8');
  return [...guide.matchAll(/^```ts\n(.*?)^```/gms)].map(([, program = '']) => program);
}

/** The guide's lines for a stack, in a stack. */
function asApp(lines: string): string {
  const isImport = (line: string) => line.startsWith('import ');
  const imports = lines.split('\n').filter(isImport);
  const statements = lines.split('\n').filter((line) => !isImport(line));
  return [
    "import { App, CfnOutput, Stack } from 'aws-cdk-lib';",
    ...imports,
    'class Shop extends Stack {',
    '  constructor(scope, id) {',
    '    super(scope, id);',
    ...statements,
    "    new CfnOutput(this, 'ApiId', { value: gateway.apiId });",
    '  }',
    '}',
    "new Shop(new App(), 'Shop');",
  ].join('\n');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-guide-'));
  const { stdout } = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const tarball = join(folder, stdout.trim().split('\n').at(-1) ?? '');
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  await cp(join(root, '.npmrc'), join(folder, '.npmrc'));
  const versions = await Promise.all(
    [
      'nexus-rpc',
      'aws-cdk-lib',
      'constructs',
      ...['client', 'common', 'envconfig', 'nexus', 'proto'].map((name) => `@temporalio/${name}`),
    ].map(async (name) => {
      const { version } = JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8'));
      return `${name}@${version}`;
    }),
  );
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', tarball, ...versions], { cwd: folder });

  const [handler = '', stack = ''] = await programsOfGuide();
  await mkdir(join(folder, 'functions'));
  await writeFile(join(folder, 'functions/orders.ts'), handler);
  await writeFile(join(folder, 'functions/orders-handler.ts'), ORDERS_HANDLER);
  await writeFile(join(folder, 'app.js'), asApp(stack));
  emulator = await startMinistack();
  await cdkBootstrap(emulator);
}, 600_000);

afterAll(async () => {
  await emulator?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('leads from an installed package to a call that is answered, with what is written in it', async () => {
  if (emulator === undefined) throw new Error('the emulator runs');
  const { Shop: outputs } = await cdkDeploy({ emulator, app: 'node app.js', cwd: folder });
  const api = emulatedApi(emulator, outputs?.ApiId ?? '');
  const path = '/nexus/endpoints/orders/services/orders/place';
  expect(outputs?.OrdersUrl).toMatch(/\/basic\/nexus\/endpoints\/orders\/services$/);

  const signed = await api.call(path, { credentials: rootOf(emulator), body: '{"item":"tea"}' });
  expect(signed).toMatchObject({ status: 200, json: { placed: 'tea' } });

  const password = await passwordOf(emulator);
  const credentials = { kind: 'basic', user: 'orders', password } as const;
  const answered = await api.call(`/basic${path}`, { credentials, body: '{"item":"tea"}' });
  expect(answered).toMatchObject({ status: 200, json: { placed: 'tea' } });
});

async function passwordOf({ env }: Ministack): Promise<string> {
  const client = new SecretsManagerClient({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  });
  const { SecretList } = await client.send(new ListSecretsCommand());
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: SecretList?.[0]?.ARN }));
  return JSON.parse(SecretString ?? '').orders;
}
