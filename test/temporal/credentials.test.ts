import type { ConnectionOptions } from '@temporalio/client';
import { getClient } from '@temporalio/nexus';
import { operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { createServiceHandler } from '../../src/index.ts';
import { withCredentials } from '../../src/temporal/connect-config.ts';
import { type TemporalOptions, temporal } from '../../src/temporal/index.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { bodyJson, context, invocation } from '../handler/requests.ts';

const SHOP = service('shop', { connection: operation<void, unknown>(), sync: operation<void, string>() });

/** A handler whose operations tell how their client connects. */
function setUp(credentials: TemporalOptions['credentials'], options: TemporalOptions = {}) {
  const { lines, logger } = recordingLogger();
  const side = temporal({
    address: '127.0.0.1:1',
    taskQueue: 'q',
    ...options,
    ...(credentials && { credentials }),
  });
  const handlers = serviceHandler(SHOP, {
    async connection() {
      const { options } = getClient().connection as unknown as { options: ConnectionOptions };
      const { apiKey, channelArgs, credentials } = options;
      return {
        apiKey,
        serverName: channelArgs?.['grpc.ssl_target_name_override'],
        secure: credentials?._isSecure() ?? false,
      };
    },
    sync: async () => 'done',
  });
  const handler = createServiceHandler({ services: [handlers], temporal: side, logger });
  const call = (name = 'connection') => handler(invocation(`/shop/${name}`), context());
  return { lines, call, connection: async () => bodyJson(await call()) };
}

/** Resolves with each of these in turn, the last of them for all that follow; counts how often it was asked. */
function fetching(...outcomes: (Awaited<ReturnType<NonNullable<TemporalOptions['credentials']>>> | Error)[]) {
  const asked = { count: 0 };
  const credentials = async () => {
    asked.count++;
    const outcome = outcomes[Math.min(asked.count, outcomes.length) - 1];
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  return { asked, credentials };
}

describe('credentials that are to be fetched', () => {
  it('are fetched when a handler first runs, and once', async () => {
    const { asked, credentials } = fetching({ apiKey: 'first', tls: {} }, { apiKey: 'second' });
    const { connection } = setUp(credentials);
    expect(asked.count).toBe(0);
    expect(await connection()).toMatchObject({ apiKey: 'first', secure: true });
    expect(await connection()).toMatchObject({ apiKey: 'first' });
    expect(asked.count).toBe(1);
  });

  it('are fetched once for requests that come together', async () => {
    const { asked, credentials } = fetching({ apiKey: 'first' }, { apiKey: 'second' });
    const { connection } = setUp(credentials);
    const keys = await Promise.all([connection(), connection(), connection()]);
    expect(keys.map((found) => (found as { apiKey: string }).apiKey)).toEqual(['first', 'first', 'first']);
    expect(asked.count).toBe(1);
  });

  it('are fetched again by the next request where that failed, and until then the caller may try again', async () => {
    const { asked, credentials } = fetching(new Error('down'), new Error('down'), { apiKey: 'third' });
    const { call, connection } = setUp(credentials);
    for (const name of ['connection', 'sync']) {
      const result = await call(name);
      expect(result).toMatchObject({ statusCode: 503 });
      expect(result.headers).not.toHaveProperty('nexus-request-retryable');
    }
    expect(await connection()).toMatchObject({ apiKey: 'third' });
    expect(asked.count).toBe(3);
  });

  it('that could not be fetched have their reason in the log, once for each try, and nowhere else', async () => {
    const denied = new Error('arn:aws:sts::1:assumed-role/Handler/x is not authorized');
    const { call, lines } = setUp(fetching(denied).credentials);
    const results = await Promise.all([call(), call()]);
    for (const result of results) {
      expect(result.statusCode).toBe(503);
      expect(result.body).toContain('the credentials for Temporal cannot be used; the log of the handler says why');
      expect(result.body).not.toContain('assumed-role');
      expect(result.body).not.toContain('.ts:');
    }
    expect(lines).toEqual([
      { level: 'error', message: 'the credentials for Temporal cannot be used', meta: { error: denied } },
    ]);
  });

  it('that are fetched by a function which throws fail as those of one that rejects', async () => {
    const { call } = setUp(() => {
      throw new Error('down');
    });
    expect(await call()).toMatchObject({ statusCode: 503 });
  });

  it('that no connection takes are fetched again: the secret may have been mended since', async () => {
    const pair = { crt: Buffer.from('no certificate'), key: Buffer.from('no key') };
    const { asked, credentials } = fetching({ tls: { clientCertPair: pair } }, { apiKey: 'second' });
    const { call, connection, lines } = setUp(credentials);
    expect(await call()).toMatchObject({ statusCode: 503 });
    expect(lines).toMatchObject([{ level: 'error', meta: { error: { message: expect.stringContaining('PEM') } } }]);
    expect(await connection()).toMatchObject({ apiKey: 'second' });
    expect(asked.count).toBe(2);
  });

  it('with an API key that no header takes are refused without quoting it, as the SDK would', async () => {
    const { call, lines } = setUp(fetching({ apiKey: 's3cret\n', tls: {} }).credentials);
    const result = await call();
    expect(result.statusCode).toBe(503);
    expect(lines).toHaveLength(1);
    const [{ error }] = lines.map(({ meta }) => meta as { error: Error }) as [{ error: Error }];
    expect(error.message).toContain('API key');
    expect(`${result.body} ${error.message} ${error.stack}`).not.toContain('s3cret');
  });

  it('may be none, which leaves the environment as it is', async () => {
    const { asked, credentials } = fetching(undefined);
    const { connection } = setUp(credentials, { connectionOptions: { apiKey: 'own' } });
    expect(await connection()).toMatchObject({ apiKey: 'own', secure: true });
    expect(asked.count).toBe(1);
  });

  it('win over those of the code', async () => {
    const { credentials } = fetching({ apiKey: 'fetched', tls: { serverNameOverride: 'b' } });
    const { connection } = setUp(credentials, {
      connectionOptions: { apiKey: 'own', tls: { serverNameOverride: 'a' } },
    });
    expect(await connection()).toEqual({ apiKey: 'fetched', serverName: 'b', secure: true });
  });

  it('take nothing of the TLS that was set beside them', async () => {
    const { credentials } = fetching({ apiKey: 'fetched', tls: {} });
    const { connection } = setUp(credentials, { connectionOptions: { tls: { serverNameOverride: 'a' } } });
    expect(await connection()).toEqual({ apiKey: 'fetched', serverName: 'a', secure: true });
  });
});

it('an API key of the environment or the code that no header takes stops the start, without being quoted', () => {
  const start = () => setUp(undefined, { connectionOptions: { apiKey: 's3cret\n' } });
  expect(start).toThrow('API key');
  expect(start).not.toThrow('s3cret');
});

describe('withCredentials', () => {
  const own = { address: 'a:1' };

  it('turns TLS on for those that ask for it, whatever was set before', () => {
    for (const before of [{}, { tls: null }, { tls: false }, { tls: true }, { tls: {} }]) {
      const joined = withCredentials({ ...own, ...before }, { apiKey: 'k', tls: {} });
      expect(joined).toEqual({ ...own, apiKey: 'k', tls: {} });
    }
  });

  it('leaves an API key that is a function to the SDK', () => {
    const apiKey = () => 'key';
    expect(withCredentials({ ...own, apiKey }, undefined)).toEqual({ ...own, apiKey });
  });

  it('adds nothing where there is nothing to add', () => {
    for (const options of [own, { ...own, tls: true }, { ...own, apiKey: 'k', tls: { serverNameOverride: 'a' } }]) {
      expect(withCredentials(options, undefined)).toEqual(options);
      expect(withCredentials(options, {})).toEqual(options);
    }
  });
});

it('lets the doctor say that it is the credentials that are wrong', async () => {
  const side = temporal({
    address: '127.0.0.1:1',
    taskQueue: 'q',
    credentials: () => Promise.reject(new Error('the secret arn:aws:x is gone')),
  });
  const shop = service('shop', { sell: operation<void, void>() });
  const { logger } = recordingLogger();
  const handler = createServiceHandler({
    services: [serviceHandler(shop, { sell: async () => {} })],
    temporal: side,
    logger,
  });
  const checked = await handler(invocation('/nexus-lambda.doctor/check'), context());
  expect(checked.statusCode).toBe(200);
  expect(bodyJson(checked)).toMatchObject({ temporal: { problem: { step: 'credentials' } } });
  expect(checked.body).not.toContain('arn:aws');
});
