import { operation, service, serviceHandler } from 'nexus-rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServiceHandler } from '../../src/index.ts';
import { type HttpApi, startHttpApi } from './http-api.ts';
import { useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

const parrot = service('the parrot/1', {
  nothing: operation<void, void>(),
  again: operation<unknown, unknown>({ name: 'say again/once' }),
});
const handler = createServiceHandler({
  services: [serviceHandler(parrot, { nothing: async () => {}, again: async (_ctx, input) => input })],
});

let api: HttpApi;
beforeAll(async () => {
  api = await startHttpApi(handler);
});
afterAll(() => api.close());

describe.each(serverVersions)('a Lambda handler behind an HTTP API, called by the %s server', (version) => {
  const temporal = useTemporal(version);
  const endpointOf = () => temporal.createEndpoint(`${api.url}/nexus/endpoints/parrot/services`);
  const named = { service: 'the parrot/1' };

  it('answers nothing in a way that survives the type which the gateway adds', async () => {
    const target = { endpoint: await endpointOf(), ...named, operation: 'nothing' };
    expect(await temporal.resultOf(target)).toBeUndefined();
  });

  it('finds an operation by names that the gateway has decoded', async () => {
    const target = { endpoint: await endpointOf(), ...named, operation: 'say again/once' };
    expect(await temporal.resultOf(target, { a: ['é', 1, null] })).toEqual({ a: ['é', 1, null] });
  });
});
