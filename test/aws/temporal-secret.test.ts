import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseTemporalSecret, temporalSecret } from '../../src/aws/temporal-secret.ts';

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:temporal-AbCdEf';
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const bytes = (text: string) => new TextEncoder().encode(text);

const read = (secret: unknown) => parseTemporalSecret(JSON.stringify(secret), ARN);

describe('the secret', () => {
  it('may be an API key, which never goes over a connection in clear', () => {
    expect(read({ apiKey: 'key.of-Temporal_1' })).toEqual({ apiKey: 'key.of-Temporal_1', tls: {} });
  });

  it('may be a client certificate with its key', () => {
    expect(read({ clientCertificate: PEM, clientKey: 'KEY' })).toEqual({
      tls: { clientCertPair: { crt: bytes(PEM), key: bytes('KEY') } },
    });
  });

  it('may say whom the server is to be, with either', () => {
    const server = { serverCaCertificate: PEM, serverName: 'temporal.example' };
    const tls = { serverRootCACertificate: bytes(PEM), serverNameOverride: 'temporal.example' };
    expect(read({ apiKey: 'key', ...server })).toEqual({ apiKey: 'key', tls });
    expect(read({ clientCertificate: PEM, clientKey: 'KEY', ...server })).toEqual({
      tls: { ...tls, clientCertPair: { crt: bytes(PEM), key: bytes('KEY') } },
    });
  });

  it.each<[string, string]>([
    ['', 'is no JSON;'],
    ['s3cret', 'is no JSON;'],
    ['{"apiKey": "s3cret"', 'is no JSON;'],
    ['"s3cret"', 'is no JSON object;'],
    ['["s3cret"]', 'is no JSON object;'],
    ['null', 'is no JSON object;'],
    ['7', 'is no JSON object;'],
    ['{}', 'has neither apiKey nor clientCertificate and clientKey;'],
    ['{"serverName": "s3cret"}', 'has neither apiKey nor clientCertificate and clientKey;'],
    ['{"apikey": "s3cret"}', 'has a member "apikey" that is not known;'],
    ['{"apiKey": "s3cret", "toString": "s3cret"}', 'has a member "toString" that is not known;'],
    ['{"apiKey": "s3cret", "__proto__": "s3cret"}', 'has a member "__proto__" that is not known;'],
    ['{"apiKey": ""}', 'has a member "apiKey" that is no text, or empty;'],
    ['{"apiKey": null}', 'has a member "apiKey" that is no text, or empty;'],
    ['{"apiKey": ["s3cret"]}', 'has a member "apiKey" that is no text, or empty;'],
    ['{"apiKey": "s3cret", "serverName": 7}', 'has a member "serverName" that is no text, or empty;'],
    ['{"clientKey": "s3cret"}', 'has one of clientCertificate and clientKey; it takes both or none;'],
    ['{"clientCertificate": "s3cret"}', 'has one of clientCertificate and clientKey; it takes both or none;'],
    [
      '{"apiKey": "s3cret", "clientKey": "s3cret"}',
      'has one of clientCertificate and clientKey; it takes both or none;',
    ],
    // gRPC would refuse such a header, and quote it.
    ['{"apiKey": "s3cret\\n"}', 'has a member "apiKey" with a character that is in no API key, such as a line break;'],
    [
      '{"apiKey": "Bearer s3cret"}',
      'has a member "apiKey" with a character that is in no API key, such as a line break;',
    ],
    [
      '{"apiKey": "s3cr\\u00e9t"}',
      'has a member "apiKey" with a character that is in no API key, such as a line break;',
    ],
  ])('cannot be %s, and the error says so, naming the secret and what it takes', (text, problem) => {
    const message = `the secret ${ARN} ${problem} it is a JSON object of apiKey, clientCertificate, clientKey, serverCaCertificate, serverName`;
    expect(() => parseTemporalSecret(text, ARN)).toThrow(new Error(message));
  });

  it('is in no error of it, whatever it holds', () => {
    const value = fc.stringMatching(/^[ -~]{8,20}$/).map((text) => `s3cret ${text}`);
    const member = fc.constantFrom(
      'apiKey',
      'clientCertificate',
      'clientKey',
      'serverCaCertificate',
      'serverName',
      'x',
    );
    const nested = fc.oneof(value, fc.array(value), fc.record({ apiKey: value }), fc.constantFrom('', null, 7));
    const text = fc.oneof(
      value,
      fc.dictionary(member, nested, { noNullPrototype: true }).map((members) => JSON.stringify(members)),
      fc.dictionary(member, nested, { noNullPrototype: true }).map((members) => JSON.stringify(members).slice(0, -1)),
      fc.array(nested).map((values) => JSON.stringify(values)),
    );
    fc.assert(
      fc.property(text, (secret) => {
        try {
          parseTemporalSecret(secret, ARN);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          const { message, stack, cause } = error as Error;
          expect(message).toContain(ARN);
          expect(`${message} ${stack} ${cause}`).not.toContain('s3cret');
        }
      }),
    );
  });
});

describe('temporalSecret', () => {
  const env = { NEXUS_TEMPORAL_SECRET_ARN: ARN };

  it('reads the secret that the variable names, when it is asked and not before', async () => {
    const asked: string[] = [];
    const fetch = temporalSecret(env, async (arn) => {
      asked.push(arn);
      return '{"apiKey": "key"}';
    });
    expect(asked).toEqual([]);
    expect(await fetch()).toEqual({ apiKey: 'key', tls: {} });
    expect(asked).toEqual([ARN]);
  });

  it.each([{}, { NEXUS_TEMPORAL_SECRET_ARN: undefined }, { NEXUS_TEMPORAL_SECRET_ARN: '' }])(
    'reads nothing where there is no variable, as with %j',
    async (variables) => {
      const fetch = temporalSecret(variables, async () => {
        throw new Error('read');
      });
      expect(await fetch()).toBeUndefined();
    },
  );

  it('fails where the secret cannot be read or is none', async () => {
    const denied = new Error('AccessDeniedException');
    await expect(temporalSecret(env, () => Promise.reject(denied))()).rejects.toBe(denied);
    await expect(temporalSecret(env, async () => 'key')()).rejects.toThrow('is no JSON');
  });

  /** An AWS Secrets Manager that gives this answer to everybody. */
  async function answering(status: number, answer: object) {
    const seen: { body?: unknown; headers?: IncomingHttpHeaders; sockets: Socket[] } = { sockets: [] };
    const server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      Object.assign(seen, { body: JSON.parse(body), headers: request.headers });
      seen.sockets.push(request.socket);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer));
    });
    server.keepAliveTimeout = 0;
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      vi.unstubAllEnvs();
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', `http://127.0.0.1:${port}`);
    return seen;
  }

  it('asks Secrets Manager for the current value, and keeps no connection to it', async () => {
    const seen = await answering(200, { SecretString: '{"apiKey": "key"}' });
    expect(await temporalSecret(env)()).toEqual({ apiKey: 'key', tls: {} });
    expect(seen).toMatchObject({
      body: { SecretId: ARN },
      headers: { 'x-amz-target': 'secretsmanager.GetSecretValue' },
    });
    const [socket] = seen.sockets;
    if (!socket?.closed) await once(socket as Socket, 'close');
    expect(seen.sockets).toHaveLength(1);
  });

  it.each([
    [200, { SecretBinary: 'czNjcmV0' }, `the secret ${ARN} is binary; it takes JSON text`],
    [400, { __type: 'AccessDeniedException', message: 'not authorized to perform GetSecretValue' }, 'not authorized'],
  ])('fails for the answer %d %j', async (status, answer, message) => {
    const seen = await answering(status, answer);
    await expect(temporalSecret(env)()).rejects.toThrow(message);
    expect(seen.sockets).toHaveLength(1);
  });

  it('loads the AWS SDK where there is a secret to be read, and otherwise never', () => {
    const index = new URL('../../src/aws/index.ts', import.meta.url).href;
    const program = `
      import { registerHooks } from 'node:module';
      let loaded = [];
      registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
      const { temporalSecret } = await import(${JSON.stringify(index)});
      await temporalSecret({})();
      const without = loaded;
      loaded = [];
      await temporalSecret({ NEXUS_TEMPORAL_SECRET_ARN: 'arn' })().catch(() => {});
      console.log(JSON.stringify({ without, with: loaded }));
    `;
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: join(import.meta.dirname, '../..'),
      env: {
        AWS_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1',
      },
      encoding: 'utf8',
    });
    const loaded = JSON.parse(output) as Record<'without' | 'with', string[]>;
    const ofSdk = (urls: string[]) => urls.some((url) => /@aws-sdk|@smithy/.test(url));
    expect(loaded.without).toContain(index);
    expect({ without: ofSdk(loaded.without), with: ofSdk(loaded.with) }).toEqual({ without: false, with: true });
  });
});
