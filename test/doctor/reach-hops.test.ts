import { describe, expect, it } from 'vitest';
import { handlerTemporalFinding, temporalFinding } from '../../src/doctor/reach-hops.ts';
import type { HandlerTemporal, TemporalProblem } from '../../src/nexus/doctor-contract.ts';

const REACH = {
  address: 'temporal.example:7233',
  namespace: 'shop',
  tls: false,
  authentication: 'none',
  taskQueue: 'queue',
} as const;

const handler = (problem: TemporalProblem, more: Partial<HandlerTemporal> = {}, functionName?: string) =>
  handlerTemporalFinding({
    nexusLambda: '0.1.0',
    services: [],
    temporal: { ...REACH, ...more, problem },
    ...(functionName !== undefined && { functionName }),
  });

const connect = (code: number, message: string): TemporalProblem => ({ step: 'connect', code, message });
const unconnected = (last: string) => connect(14, `No connection established. Last error: ${last}. Resolution note: `);

describe("the handler's Temporal", () => {
  it.each<[string, TemporalProblem, Partial<HandlerTemporal>, { says: string; why: string; type: string }]>([
    [
      'a port where nothing listens',
      unconnected('Error: connect ECONNREFUSED 10.0.0.7:7233'),
      {},
      {
        says: 'connect ECONNREFUSED 10.0.0.7:7233 (gRPC status 14)',
        why: 'nothing listens at temporal.example:7233',
        type: 'npx nexus-lambda dev MODULE --temporal-address HOST:7233',
      },
    ],
    [
      'an address of its own machine',
      unconnected('Error: connect ECONNREFUSED 127.0.0.1:7233'),
      { address: '127.0.0.1:7233' },
      { says: 'ECONNREFUSED', why: "which is the handler's own machine", type: 'HOST:7233' },
    ],
    [
      'a name without an address',
      connect(14, 'Name resolution failed for target dns:temporal.example:7233'),
      {},
      { says: 'Name resolution failed', why: 'has no address in the network of the handler', type: 'HOST:7233' },
    ],
    [
      'a network that swallows packets',
      connect(4, 'Deadline exceeded after 4.000s'),
      {},
      { says: 'Deadline exceeded', why: 'has no way to temporal.example:7233', type: 'nc -vz temporal.example 7233' },
    ],
    [
      'TLS with a server that has none',
      unconnected(
        'Error: 407D:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/x.c:77:\n',
      ),
      { tls: true },
      {
        says: 'wrong version number',
        why: 'the server has none',
        type: 'TEMPORAL_TLS=false npx nexus-lambda dev MODULE',
      },
    ],
    [
      'no TLS with a server that wants it',
      unconnected('Failed to connect (2026-11-25T00:47:01.782Z)'),
      {},
      { says: ': Failed to connect (gRPC status 14)', why: 'it may want TLS', type: 'TEMPORAL_TLS=true' },
    ],
    [
      'an unknown authority',
      unconnected(
        'Error: self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
      ),
      { tls: true },
      {
        says: 'self-signed certificate',
        why: 'an authority that is not known',
        type: 'TEMPORAL_TLS_SERVER_CA_CERT_PATH=ca.pem',
      },
    ],
    [
      'the HTTP port',
      unconnected('Protocol error (2026-11-25T00:47:05.893Z)'),
      {},
      { says: 'Protocol error', why: 'it may be the HTTP port', type: 'HOST:7233' },
    ],
    [
      'a namespace that does not exist',
      { step: 'namespace', code: 5, message: 'Namespace shop is not found.' },
      { serverVersion: '1.32.1' },
      {
        says: 'Namespace shop is not found.',
        why: 'has no namespace "shop"',
        type: 'temporal operator namespace create --namespace shop --address temporal.example:7233',
      },
    ],
    [
      'no credentials for a server that wants some',
      connect(16, 'Request unauthorized.'),
      {},
      { says: 'Request unauthorized.', why: 'the handler has none', type: 'TEMPORAL_API_KEY=KEY' },
    ],
    [
      'a wrong key',
      { step: 'namespace', code: 7, message: 'Request unauthorized.' },
      { authentication: 'api-key', tls: true },
      { says: '(gRPC status 7)', why: 'does not take the API key', type: 'TEMPORAL_API_KEY=KEY' },
    ],
    [
      'another kind of server',
      connect(12, 'Received HTTP status code 404'),
      {},
      { says: '404', why: 'no Temporal frontend', type: 'HOST:7233' },
    ],
    [
      'anything else',
      connect(13, 'boom'),
      {},
      { says: 'boom (gRPC status 13)', why: 'was not made, or was lost', type: 'HOST:7233' },
    ],
    [
      'credentials that cannot be fetched',
      { step: 'credentials', message: 'the credentials cannot be used' },
      {},
      { says: 'the credentials cannot be used', why: 'NEXUS_TEMPORAL_SECRET_ARN', type: 'describe-secret' },
    ],
  ])('names %s', (_what, problem, more, { says, why, type }) => {
    const finding = handler(problem, more);
    expect(finding).toMatchObject({
      hop: 'handler-temporal',
      status: 'fail',
      says: expect.stringContaining(says),
      why: expect.stringContaining(why),
    });
    expect(finding.type?.join('\n')).toContain(type);
  });

  it('of a function is set in its construct', () => {
    expect(handler(unconnected('ECONNREFUSED'), {}, 'Shop').type).toEqual([
      '# in the NexusFunction of the handler:',
      "#   temporal: { address: 'HOST:7233', namespace: 'shop', taskQueue: 'queue' },",
      'npx cdk deploy',
      '# to start a server on this machine:',
      'temporal server start-dev',
    ]);
    expect(handler(connect(16, 'Request unauthorized.'), {}, 'Shop').type).toEqual([
      '# in the NexusFunction of the handler:',
      "#   temporal: { address: 'temporal.example:7233', namespace: 'shop', taskQueue: 'queue', secret },",
      '# where secret holds {"apiKey": "KEY"}, and temporal({ credentials: temporalSecret() })',
      'npx cdk deploy',
    ]);
    expect(handler(connect(4, 'Deadline exceeded'), {}, 'Shop').type?.[0]).toBe(
      'aws lambda get-function-configuration --function-name Shop --query VpcConfig',
    );
  });

  it('that is well is shown with its version and the way that it is reached', () => {
    const temporal = { ...REACH, serverVersion: '1.32.1', tls: true, authentication: 'api-key' } as const;
    expect(handlerTemporalFinding({ nexusLambda: '0.1.0', services: [], temporal })).toEqual({
      hop: 'handler-temporal',
      status: 'ok',
      says: 'the handler reaches Temporal 1.32.1 at temporal.example:7233, namespace "shop" (TLS, api key)',
    });
  });
});

describe('Temporal from here', () => {
  it("is mended by the doctor's own options", () => {
    const finding = temporalFinding({ ...REACH, problem: unconnected('Error: connect ECONNREFUSED 127.0.0.1:7233') });
    expect(finding).toMatchObject({
      hop: 'temporal',
      status: 'fail',
      why: expect.stringContaining('the server is down'),
    });
    expect(finding.type?.[0]).toBe('npx nexus-lambda doctor … --temporal-address HOST:7233');
  });
});
