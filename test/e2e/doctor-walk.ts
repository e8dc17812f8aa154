import { operation, service, serviceHandler } from 'nexus-rpc';
import { expect, onTestFinished } from 'vitest';
import { runDoctor } from '../../src/doctor/doctor.ts';
import type { TimedFinding } from '../../src/doctor/walk.ts';
import { createServiceHandler, type ServiceLambdaHandler } from '../../src/index.ts';
import { temporal } from '../../src/temporal/index.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { type GatewayOptions, startGateway } from './gateway.ts';
import { startHttpApi } from './http-api.ts';

/** The path of the endpoint that everything here serves. */
export const PATH = '/nexus/endpoints/shop/services';

/** A walk as `-o json` writes it. */
export interface Walk {
  readonly ok: boolean;
  readonly hops: readonly TimedFinding[];
}

interface Asked {
  readonly temporalAddress?: string;
  readonly timeoutMs?: number;
}

/** Walks, and checks that no secret is written. */
export async function doctor(url: string, asked: Asked = {}): Promise<Walk> {
  const written: string[] = [];
  const options = { url, sign: false, output: 'json', timeoutMs: 15_000, ...asked } as const;
  await runDoctor(options, (text) => written.push(text), new AbortController().signal);
  expect(written.join('')).not.toContain('s3cret');
  return JSON.parse(written.join('')) as Walk;
}

/** Status and name of the hops that are not `ok`. */
export function notWell({ hops }: Walk): string[] {
  return hops.filter(({ status }) => status !== 'ok').map(({ status, hop }) => `${status} ${hop}`);
}

/** The first hop that failed, with what to type as one text. */
export function broken({ hops }: Walk) {
  const { hop, says, why, type } = hops.find(({ status }) => status === 'fail') ?? {};
  return { hop, says, why, type: type?.join('\n') };
}

const greeting = serviceHandler(service('greeting', { hello: operation<void, string>() }), { hello: async () => 'hi' });

/** A Lambda handler whose Temporal is at this address; without one it has none. */
export function handlerOf(address?: string, namespace = 'default'): ServiceLambdaHandler {
  return createServiceHandler({
    services: [greeting],
    ...(address !== undefined && { temporal: temporal({ address, namespace, taskQueue: 'shop' }) }),
    logger: recordingLogger().logger,
  });
}

/** An HTTP API without a router, for the test's time. */
export async function httpApi(handler: ServiceLambdaHandler): Promise<string> {
  const api = await startHttpApi(handler);
  onTestFinished(() => api.close());
  return api.url + PATH;
}

/** A gateway, for the test's time: the URL of its Basic route, or of another, with these credentials. */
export async function gateway(options: Partial<GatewayOptions> = {}) {
  const api = await startGateway({
    handler: handlerOf(),
    callers: ['basic:shop'],
    users: { shop: 's3cret', guest: 's3cret2' },
    ...options,
  });
  onTestFinished(() => api.close());
  const { host } = new URL(api.url);
  return (credentials: string, path = `/basic${PATH}`) => `http://${credentials}@${host}${path}`;
}
