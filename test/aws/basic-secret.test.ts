import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createSecretReader } from '../../src/aws/basic-secret.ts';

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:basic-AbCdEf';

interface Version {
  readonly stages: readonly string[];
  readonly value?: { readonly SecretString: string } | { readonly SecretBinary: string };
}

type Answer = { readonly status?: number; readonly body: object } | 'never' | 'stalled';

/** Secrets Manager's wire protocol over these versions, and a reader of it. `intercept` may answer a call otherwise. */
async function setUp(
  versions: Record<string, Version>,
  intercept: (call: string, n: number) => Answer | undefined | Promise<Answer | undefined> = () => undefined,
) {
  const calls: string[] = [];
  const unanswered: Promise<unknown>[] = [];
  const state = { versions, deletedDate: undefined as number | undefined };

  function answerTo(action: string, id: string): Answer {
    if (action === 'DescribeSecret') {
      const labelled = Object.entries(state.versions).map(([version, { stages }]) => [version, stages]);
      return { body: { ARN, VersionIdsToStages: Object.fromEntries(labelled), DeletedDate: state.deletedDate } };
    }
    const value = state.versions[id]?.value;
    if (value === undefined) return failure(400, 'ResourceNotFoundException', `no version ${id}`);
    return { body: { ARN, VersionId: id, ...value } };
  }

  function send(answer: Answer, response: ServerResponse): void {
    if (answer === 'never') {
      unanswered.push(once(response, 'close'));
      return;
    }
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (answer === 'stalled') {
      response.write('{');
      return;
    }
    response.statusCode = answer.status ?? 200;
    response.end(JSON.stringify(answer.body));
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { SecretId, VersionId } = JSON.parse(body);
    const action = String(request.headers['x-amz-target']).replace('secretsmanager.', '');
    const call = VersionId === undefined ? action : `${action} ${VersionId}`;
    calls.push(call);
    if (SecretId !== ARN) send(failure(400, 'ResourceNotFoundException', 'another secret'), response);
    else send((await intercept(call, calls.length)) ?? answerTo(action, VersionId), response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const reader = createSecretReader(ARN, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  return { reader, calls, state, unanswered };
}

function failure(status: number, type: string, message: string): Answer {
  return { status, body: { __type: type, message } };
}

const CURRENT: Version = { stages: ['AWSCURRENT'], value: { SecretString: '{"a": "current"}' } };
const PREVIOUS: Version = { stages: ['AWSPREVIOUS'], value: { SecretString: '{"a": "previous"}' } };
const PENDING: Version = { stages: ['AWSPENDING'], value: { SecretString: '{"a": "pending"}' } };
const OTHER: Version = { stages: ['mine'], value: { SecretString: '{"a": "other"}' } };

it('reads the three stages, and no version that has none of them', async () => {
  const { reader, calls } = await setUp({ v1: PREVIOUS, v2: OTHER, v3: CURRENT, v4: PENDING });
  expect(await reader.read()).toEqual({
    current: '{"a": "current"}',
    previous: '{"a": "previous"}',
    pending: '{"a": "pending"}',
  });
  expect(calls.toSorted()).toEqual(['DescribeSecret', 'GetSecretValue v1', 'GetSecretValue v3', 'GetSecretValue v4']);
});

it('has nothing for a stage without a version', async () => {
  const { reader } = await setUp({ v1: CURRENT });
  expect(await reader.read()).toEqual({ current: '{"a": "current"}', previous: undefined, pending: undefined });
  const { reader: ofEmpty } = await setUp({});
  expect(await ofEmpty.read()).toEqual({ current: undefined, previous: undefined, pending: undefined });
});

it('reads a version that has two stages, and one that was put as bytes', async () => {
  const bytes = { SecretBinary: Buffer.from('{"a": "ß"}').toString('base64') };
  const { reader } = await setUp({
    v1: { stages: ['AWSPREVIOUS'], value: bytes },
    v2: { ...CURRENT, stages: ['AWSPENDING', 'AWSCURRENT'] },
  });
  expect(await reader.read()).toEqual({
    current: '{"a": "current"}',
    previous: '{"a": "ß"}',
    pending: '{"a": "current"}',
  });
});

it('reads each version once, and each time which stage it has', async () => {
  const { reader, calls, state } = await setUp({ v1: CURRENT, v2: PENDING });
  await reader.read();
  state.versions = { v1: { ...CURRENT, stages: ['AWSPREVIOUS'] }, v2: { ...PENDING, stages: ['AWSCURRENT'] } };
  expect(await reader.read()).toEqual({
    current: '{"a": "pending"}',
    previous: '{"a": "current"}',
    pending: undefined,
  });
  expect(calls.slice(3)).toEqual(['DescribeSecret']);
});

it('takes a pending version that has no value yet as none, and reads it when it has', async () => {
  const { reader, state } = await setUp({ v1: CURRENT, v2: { stages: ['AWSPENDING'] } });
  expect(await reader.read()).toMatchObject({ current: '{"a": "current"}', pending: undefined });
  state.versions = { v1: CURRENT, v2: PENDING };
  expect(await reader.read()).toMatchObject({ current: '{"a": "current"}', pending: '{"a": "pending"}' });
});

it.each(['AWSCURRENT', 'AWSPREVIOUS'])('fails when the value of the %s version is not there', async (stage) => {
  const { reader } = await setUp({ v1: CURRENT, v2: { stages: [stage] } });
  await expect(reader.read()).rejects.toThrow(`cannot read the secret ${ARN}: no version v2`);
});

it('fails when it may not read the secret, and names the permissions', async () => {
  const { reader } = await setUp({}, () => failure(400, 'AccessDeniedException', 'User: x is not authorized'));
  await expect(reader.read()).rejects.toThrow(
    `cannot read the secret ${ARN}: User: x is not authorized; the function needs secretsmanager:DescribeSecret and ` +
      'secretsmanager:GetSecretValue on it',
  );
});

it('fails when there is no such secret, or it is marked for deletion', async () => {
  const gone = await setUp({}, () => failure(400, 'ResourceNotFoundException', 'no such secret'));
  await expect(gone.reader.read()).rejects.toThrow(`cannot read the secret ${ARN}: no such secret`);
  const { reader, state } = await setUp({ v1: CURRENT });
  await reader.read();
  state.deletedDate = 1_790_000_000;
  await expect(reader.read()).rejects.toThrow(`cannot read the secret ${ARN}: it is marked for deletion`);
});

it('tries twice, and fails then', async () => {
  const outage = failure(500, 'InternalServiceError', 'try later');
  const { reader, calls } = await setUp({ v1: CURRENT }, (_, n) => (n === 1 || n >= 4 ? outage : undefined));
  expect(await reader.read()).toMatchObject({ current: '{"a": "current"}' });
  expect(calls).toEqual(['DescribeSecret', 'DescribeSecret', 'GetSecretValue v1']);
  await expect(reader.read()).rejects.toThrow('try later');
  expect(calls).toHaveLength(5);
});

it('leaves no request under way when one of several fails', { timeout: 10_000 }, async () => {
  const { promise: bothCame, resolve } = Promise.withResolvers<void>();
  const { reader, unanswered } = await setUp({ v1: PREVIOUS, v2: CURRENT }, async (call, n) => {
    if (call === 'DescribeSecret') return undefined;
    if (n === 3) resolve();
    if (call === 'GetSecretValue v1') return 'never';
    await bothCame;
    return failure(400, 'DecryptionFailure', 'no key');
  });
  const began = performance.now();
  await expect(reader.read()).rejects.toThrow(`cannot read the secret ${ARN}: no key`);
  await Promise.all(unanswered);
  expect(unanswered).toHaveLength(1);
  expect(performance.now() - began).toBeLessThan(1_500);
});

it('gives a request two seconds, and fails within five when no answer comes, or none that ends', async () => {
  const slow = await setUp({ v1: CURRENT }, (_, n) => (n === 1 ? 'never' : undefined));
  const silent = await setUp({ v1: CURRENT }, () => 'never');
  const stalled = await setUp({ v1: CURRENT }, (call) => (call === 'DescribeSecret' ? undefined : 'stalled'));
  const began = performance.now();
  const results = await Promise.allSettled([slow, silent, stalled].map(({ reader }) => reader.read()));
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
});
