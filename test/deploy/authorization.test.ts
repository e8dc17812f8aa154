import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
  type UpdateSecretVersionStageCommandInput,
} from '@aws-sdk/client-secrets-manager';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AccessApp, clientOptions, deployAccessApp, pathOf } from './access-app.ts';
import { CALLERS } from './authorization-table.ts';
import { startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

let issuer: TokenIssuer;
let app: AccessApp;
/** ID of the version of the secret that is pending at first. */
let pendingAtFirst: string;

const USERS = ['orders', 'billing', 'vault', 'stock', 'shelf'];

/** Puts a version of the secret in which all users have one password. */
async function putPassword(password: string, stage = 'AWSCURRENT'): Promise<string> {
  const { VersionId = '' } = await app.secrets.send(
    new PutSecretValueCommand({
      SecretId: app.outputs.Passwords,
      SecretString: JSON.stringify(Object.fromEntries(USERS.map((user) => [user, password]))),
      VersionStages: [stage],
    }),
  );
  return VersionId;
}

const callBasic = (endpoint: string, password: string) =>
  app.api.call(`/basic${pathOf(endpoint)}`, { credentials: { kind: 'basic', user: endpoint, password } });

beforeAll(async () => {
  issuer = await startTokenIssuer();
  app = await deployAccessApp(issuer.url);
  await putPassword('expired');
  // So that the authorizer, and API Gateway behind it, has let them in.
  expect((await callBasic('orders', 'expired')).status).toBe(200);
  expect((await callBasic('stock', 'expired')).status).toBe(200);
  await putPassword('previous');
  await putPassword('current');
  pendingAtFirst = await putPassword('pending', 'AWSPENDING');
  // Before it denies somebody, the authorizer reads the secret again.
  expect((await callBasic('orders', 'nobody has it')).status).toBe(403);
});
afterAll(async () => {
  await app.stop();
  await issuer.stop();
});

describe.each([
  { way: 'through the router', endpoints: { open: 'orders', listed: 'vault' } },
  { way: 'collocated', endpoints: { open: 'stock', listed: 'shelf' } },
])('who calls an endpoint $way', ({ endpoints }) => {
  /** The number of this run of the handler. */
  async function run(endpoint: string): Promise<number> {
    const { buyer, auditor } = app.signers;
    const credentials = endpoint === endpoints.open ? buyer : auditor;
    const { json } = await app.api.call(pathOf(endpoint), { credentials });
    return (json as { runs: number }).runs;
  }

  const rows = Object.entries(CALLERS).flatMap(([prefix, callers]) =>
    callers.map(([who, calls, shows, gets]) => ({
      who,
      route: `${prefix}/nexus`,
      endpoint: endpoints[calls],
      shows,
      gets,
    })),
  );

  it.each(rows)('by $route with $who', async ({ route, endpoint, shows, gets }) => {
    const path = pathOf(endpoint).replace('/nexus', route);
    const request = await shows({ signers: app.signers, issuer, url: app.api.url + path }, endpoint);
    const before = await run(endpoint);
    const { status, json } = await app.api.call(path, request);
    const runs = (await run(endpoint)) - before - 1;
    expect({ status, json, runs }).toEqual({ ...gets(endpoint), runs: status === 200 ? 1 : 0 });
  });
});

describe('a function', () => {
  const invoke = (signer: keyof AccessApp['signers'], FunctionName: string, event: object = {}) =>
    new LambdaClient(clientOptions(app.emulator, app.signers[signer])).send(
      new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }),
    );

  it.each([
    'NexusRouter',
    'NexusAuthorizer',
    'NexusRegistrationFunction',
    'NexusRegistrationProvider',
    'Orders',
    'Orders:live',
    'Stock',
    'Stock:live',
  ])('is not run by those who may call endpoints, and have no right to invoke it: %s', async (id) => {
    const [construct = '', alias] = id.split(':');
    const name = app.functionName(construct) + (alias ? `:${alias}` : '');
    for (const signer of ['user', 'buyer'] as const) {
      await expect(invoke(signer, name)).rejects.toMatchObject({
        name: 'AccessDeniedException',
        message: expect.stringContaining('is not authorized to perform: lambda:InvokeFunction'),
      });
    }
  });

  it('takes whoever may invoke it for whom they say they are', async () => {
    const claimed = { iam: { userArn: app.outputs.Auditor } };
    const requestContext = { http: { method: 'POST' }, authorizer: claimed };
    const event = { version: '2.0', rawPath: pathOf('vault'), headers: {}, body: '', requestContext };
    const { Payload = [] } = await invoke('root', app.functionName('NexusRouter'), event);
    expect(JSON.parse(Buffer.from(Payload).toString())).toMatchObject({ statusCode: 200 });
  });
});

describe('the Function URL of the router', () => {
  const call = (signer?: keyof AccessApp['signers']) => {
    const [id] = new URL(app.outputs.FunctionUrl).host.split('.');
    const url = `${app.emulator.url}/_aws/lambda-url/${id}${pathOf('orders')}`;
    if (signer === undefined) return fetch(url, { method: 'POST' });
    const { credentials, region } = clientOptions(app.emulator, app.signers[signer]);
    return new AwsClient({ ...credentials, service: 'lambda', region, retries: 0 }).fetch(url, { method: 'POST' });
  };

  it('is closed to those who do not sign, and to those whose policy allows paths of the API only', async () => {
    const unsigned = await call();
    expect([unsigned.status, await unsigned.json()]).toEqual([403, { Message: 'Forbidden' }]);
    expect((await call('buyer')).status).toBe(403);
  });

  it('lets nobody in of whom nothing says who it is', async () => {
    // The emulator checks the signature and does not say whose it is. AWS does, and the router answers.
    const signed = await call('root');
    expect([signed.status, await signed.json()]).toMatchObject([
      401,
      { message: expect.stringMatching(/^nobody authenticated this request/) },
    ]);
  });
});

describe('a password that is rotated as docs/security.md says', () => {
  it('fails no call, whether a server has the old one or the new one, until the next rotation', async () => {
    const SecretId = app.outputs.Passwords;
    const move = (input: Omit<UpdateSecretVersionStageCommandInput, 'SecretId'>) =>
      app.secrets.send(new UpdateSecretVersionStageCommand({ SecretId, ...input }));

    let spaces = 0;
    /** With a header of its own, which API Gateway has no answer to yet. */
    async function statusOf(user: string, password: string): Promise<number> {
      const text = Buffer.from(`${user}:${password}`).toString('base64');
      const headers = { authorization: `Basic${' '.repeat(++spaces)}${text}` };
      return (await app.api.call(`/basic${pathOf(user)}`, { headers })).status;
    }

    const passwords = ['current'];
    const rounds: number[][] = [];
    let rotating = true;
    /** One after the other, so that one environment of the authorizer has them all: a wrong one makes it read again. */
    async function keepCalling(): Promise<void> {
      while (rotating) {
        const statuses = [await statusOf('orders', 'wrong')];
        for (const password of [...passwords]) {
          for (const user of ['orders', 'stock']) statuses.push(await statusOf(user, password));
        }
        rounds.push(statuses);
      }
    }
    /** The statuses of a round that began after this did: of a wrong password, and of each that servers have. */
    async function nextRound(): Promise<number[] | undefined> {
      const count = rounds.length + 2;
      await vi.waitUntil(() => rounds.length >= count, { timeout: 60_000 });
      return rounds.at(-1);
    }

    // Which AWS does by itself when another version becomes pending.
    await move({ VersionStage: 'AWSPENDING', RemoveFromVersionId: pendingAtFirst });
    const traffic = keepCalling();
    try {
      expect(await nextRound()).toEqual([403, 200, 200]);
      const pending = await putPassword('new', 'AWSPENDING');
      passwords.push('new');
      expect(await nextRound()).toEqual([403, 200, 200, 200, 200]);
      const { VersionId: current } = await app.secrets.send(new GetSecretValueCommand({ SecretId }));
      await move({ VersionStage: 'AWSCURRENT', MoveToVersionId: pending, RemoveFromVersionId: current });
      await nextRound();
      await move({ VersionStage: 'AWSPENDING', RemoveFromVersionId: pending });
      await nextRound();
      expect(rounds.flatMap(([_wrong, ...statuses]) => statuses).filter((status) => status !== 200)).toEqual([]);
      await putPassword('newer');
      expect(await nextRound()).toEqual([403, 403, 403, 200, 200]);
    } finally {
      rotating = false;
      await traffic;
    }
  });
});
