import { HandlerStartOperationResult, type OperationHandler, operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { toHandlerError } from '../../src/handler/handler-errors.ts';
import { VERSION } from '../../src/handler/version.ts';
import { createServiceHandler, type TemporalSide } from '../../src/index.ts';
import type { RelayInput } from '../../src/nexus/doctor-contract.ts';
import { recordingLogger } from './recording-logger.ts';
import { bodyJson, context, httpEvent, invocation } from './requests.ts';

const greeting = serviceHandler(service('greeting', { hello: operation<void, string>() }), { hello: async () => 'hi' });
const SERVICES = [{ name: 'greeting', operations: ['hello'] }];
const REACH = { address: 'a:1', namespace: 'n', tls: false, authentication: 'none', taskQueue: 'q' } as const;

const relay: OperationHandler<RelayInput, unknown> = {
  start: async (_ctx, { taskQueue }) => HandlerStartOperationResult.async(`token for ${taskQueue}`),
  cancel: async () => {},
};

/** A Temporal side whose converter is one that only the user's callers have. */
const encrypting: TemporalSide = {
  conversion: {
    decodeInput: async () => Promise.reject(new Error('no key')),
    encodeOutput: async () => ({ metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('?') }),
    encodeError: async () => ({ message: 'Encoded failure' }),
  },
  attributes: { namespace: 'n', taskQueue: 'q' },
  toHandlerError,
  deadlineReason: () => undefined,
  run: (_scope, call) => call(),
  diagnostics: { reach: async () => REACH, relay },
};

const { logger } = recordingLogger();
const plain = createServiceHandler({ services: [greeting], logger });
const withTemporal = createServiceHandler({ services: [greeting], temporal: encrypting, logger });
const path = (name: string) => `/nexus-lambda.doctor/${name}`;

describe('the service of the doctor', () => {
  it('says what the handler is, and what it serves', async () => {
    const result = await plain(invocation(path('check')), context());
    expect(result.statusCode).toBe(200);
    expect(bodyJson(result)).toEqual({ nexusLambda: packageJson.version, services: SERVICES });
  });

  it("has the package's version", () => {
    expect(VERSION).toBe(packageJson.version);
  });

  it('names the Lambda function', async () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'Greeting');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(bodyJson(await plain(invocation(path('check')), context()))).toMatchObject({ functionName: 'Greeting' });
  });

  it('is found behind an HTTP API, which decodes paths', async () => {
    const event = httpEvent(`/basic/nexus/endpoints/shop/services${path('check')}`);
    expect(bodyJson(await plain(event, context()))).toMatchObject({ services: SERVICES });
  });

  it("says what the handler's Temporal side sees, in clear", async () => {
    const result = await withTemporal(invocation(path('check')), context());
    expect(bodyJson(result)).toEqual({ nexusLambda: VERSION, services: SERVICES, temporal: REACH });
  });

  it('starts a workflow by the Temporal side, and takes its input in clear', async () => {
    const body = JSON.stringify({ taskQueue: 'nexus-lambda-doctor-1' });
    const result = await withTemporal(invocation(path('relay'), { body }), context());
    expect(result.statusCode).toBe(201);
    expect(bodyJson(result)).toMatchObject({ token: 'token for nexus-lambda-doctor-1' });
  });

  it('starts none without a Temporal side', async () => {
    const result = await plain(invocation(path('relay'), { body: '{}' }), context());
    expect(result.statusCode).toBe(404);
  });

  it("leaves the user's own operations to the user's converter", async () => {
    const result = await withTemporal(invocation('/greeting/hello'), context());
    expect(JSON.stringify(bodyJson(result))).toContain('Encoded failure');
  });

  it('is part of no contract, and named to nobody who asks for another', async () => {
    expect(await plain({ nexusContract: 1 }, context())).toEqual({ nexusContract: 1, services: SERVICES });
    const unknown = await plain(invocation('/nothing/here'), context());
    expect(JSON.stringify(bodyJson(unknown))).not.toContain('doctor');
  });

  it("takes its name from the user's services", () => {
    const mine = serviceHandler(service('nexus-lambda.doctor', { a: operation<void, void>() }), { a: async () => {} });
    expect(() => createServiceHandler({ services: [mine] })).toThrow(
      "services[0] is named 'nexus-lambda.doctor', which is taken by nexus-lambda itself; rename it",
    );
  });

  it('tells its failures in clear', async () => {
    const failing = { ...relay, start: async () => Promise.reject(new Error('no callbacks here')) };
    const temporal = { ...encrypting, diagnostics: { reach: async () => REACH, relay: failing } };
    const handler = createServiceHandler({ services: [greeting], temporal, logger });
    const result = await handler(invocation(path('relay'), { body: '{}' }), context());
    expect(JSON.stringify(bodyJson(result))).toContain('no callbacks here');
  });
});
