import { describe, expect, it } from 'vitest';
import { type CallSeen, callFindings, cannotCall, isSettled } from '../../src/doctor/operation-hops.ts';
import type { OperationSeen } from '../../src/temporal/doctor-seen.ts';
import { basic, dev, signed } from './deployments.ts';

const CALLER = { address: 'temporal.example:7233', version: '1.32.1' };

const seen = (operation: OperationSeen, more: Partial<CallSeen> = {}): CallSeen => ({
  operation,
  waitedMs: 15_000,
  relays: true,
  endpoint: 'shop',
  caller: CALLER,
  handler: { address: 'handlers.example:7233', version: '1.29.1' },
  ...more,
});

const POST = 'Post "https://shop:***@host/x?callback=http%3A%2F%2Ffrontend": ';
const failed = (message: string, type?: string): OperationSeen => ({
  state: 'failed',
  failure: { message, ...(type !== undefined && { type }) },
});
const backingOff = (message: string): OperationSeen => ({ state: 'waiting', attempts: 2, failure: { message } });

it('waits until an operation is answered, cannot be called, or has failed twice', () => {
  expect(isSettled({ state: 'waiting', attempts: 0 })).toBe(false);
  expect(isSettled({ state: 'waiting', attempts: 1, failure: { message: 'x' } })).toBe(false);
  expect(isSettled(backingOff('x'))).toBe(true);
  expect(isSettled({ state: 'waiting', attempts: 0, blocked: 'x' })).toBe(true);
  expect(isSettled({ state: 'started', token: 't' })).toBe(true);
});

describe('a missing callback template', () => {
  it('shows as an operation that is never attempted', () => {
    const [finding, ...more] = callFindings(seen({ state: 'waiting', attempts: 0 }), dev);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      hop: 'callback-template',
      status: 'fail',
      says: 'an operation stays scheduled, without an attempt for 15 s',
      why: expect.not.stringContaining('--timeout'),
    });
    expect(finding?.type?.join('\n')).toContain(
      '"http://temporal.example:7243/namespaces/{{.NamespaceName}}/nexus/callback"',
    );
  });

  it('is not certain before an attempt would have had its time', () => {
    const [finding] = callFindings(seen({ state: 'waiting', attempts: 0 }, { waitedMs: 9_000 }), dev);
    expect(finding?.why).toContain('with --timeout 15 it is known');
  });
});

describe("Temporal's call", () => {
  const UPDATE = 'temporal operator nexus endpoint update --name shop --target-url';

  it.each<[string, OperationSeen, typeof dev, { says: string; why: string; type: string }]>([
    [
      'wrong credentials',
      failed('Forbidden', 'UNAUTHORIZED'),
      basic,
      { says: 'Forbidden', why: 'missing or wrong', type: `${UPDATE} https://shop:PASSWORD@abc.execute-api` },
    ],
    [
      'no credentials',
      failed('', 'UNAUTHENTICATED'),
      signed,
      { says: 'UNAUTHENTICATED', why: 'missing or wrong', type: `${UPDATE} https://shop:PASSWORD@abc.execute-api` },
    ],
    [
      'a user that is not on the list',
      failed('"basic:other" is not among the callers of endpoint "shop"', 'UNAUTHORIZED'),
      basic,
      { says: 'not among the callers', why: 'not on the list', type: 'NexusCaller.basic(USER)' },
    ],
    [
      'an address of its own machine',
      backingOff(`${POST}dial tcp 127.0.0.1:9233: connect: connection refused`),
      dev,
      {
        says: 'fails: dial tcp 127.0.0.1:9233: connect: connection refused',
        why: 'that is the container',
        type: 'docker run --network host',
      },
    ],
    [
      'a network without a way',
      backingOff(`${POST}context deadline exceeded`),
      basic,
      { says: 'fails: context deadline exceeded', why: 'though this machine has', type: 'curl' },
    ],
    [
      'an unknown authority',
      backingOff(`${POST}tls: failed to verify certificate: x509: certificate signed by unknown authority`),
      basic,
      { says: 'x509', why: 'does not know the authority', type: 'SSL_CERT_FILE=ca.pem' },
    ],
    [
      'the wrong scheme',
      backingOff(`${POST}http: server gave HTTP response to HTTPS client`),
      dev,
      { says: 'HTTPS client', why: 'not that of the port', type: UPDATE },
    ],
    [
      'a redirect',
      failed('the method is "GET"; a Nexus request is a POST', 'BAD_REQUEST'),
      dev,
      { says: 'GET', why: 'redirected', type: UPDATE },
    ],
    [
      'another server of that name',
      failed('not found', 'NOT_FOUND'),
      basic,
      { says: 'not found', why: 'another DNS', type: 'getent hosts abc.execute-api' },
    ],
    ['anything else', backingOff('boom'), dev, { says: 'boom', why: 'was answered a moment ago', type: '' }],
    [
      'an open circuit breaker',
      { state: 'waiting', attempts: 0, blocked: 'The circuit breaker is open.' },
      dev,
      { says: 'is open: The circuit breaker is open.', why: 'After a minute', type: 'sleep 60' },
    ],
  ])('names %s', (_what, operation, deployment, { says, why, type }) => {
    const findings = callFindings(seen(operation), deployment);
    expect(JSON.stringify(findings)).not.toMatch(/s3cret|callback=/);
    expect(findings.at(-1)).toMatchObject({
      hop: 'call',
      status: 'fail',
      says: expect.stringContaining(says),
      why: expect.stringContaining(why),
    });
    expect(findings.at(-1)?.type?.join('\n') ?? '').toContain(type);
    expect(findings[0]).toMatchObject({
      hop: 'callback-template',
      status: operation.state === 'waiting' && operation.blocked ? 'skip' : 'ok',
    });
  });

  it('that is answered needs no callback where the handler has no Temporal', () => {
    expect(callFindings(seen({ state: 'completed' }, { relays: false }), dev)).toEqual([
      { hop: 'callback-template', status: 'ok', says: 'Temporal 1.32.1 knows where it can be called back' },
      { hop: 'call', status: 'ok', says: `a workflow's call through "shop" got to the handler at 127.0.0.1:9233` },
    ]);
  });

  it('that cannot be made says so', () => {
    expect(
      cannotCall(
        { code: 3, details: 'BadScheduleNexusOperationAttributes: endpoint "shop" not found' },
        { ...CALLER, endpoint: 'shop' },
      ),
    ).toMatchObject({
      hop: 'callback-template',
      says: 'no workflow could call "shop" at temporal.example:7233: BadScheduleNexusOperationAttributes: endpoint "shop" not found (gRPC status 3)',
      why: expect.stringContaining('takes some seconds to know'),
    });
    expect(cannotCall({ code: 7, details: 'Request unauthorized.' }, { ...CALLER, endpoint: 'shop' })).toMatchObject({
      why: expect.stringContaining('must allow that'),
      type: ['temporal operator nexus endpoint get --name shop --address temporal.example:7233'],
    });
  });
});

describe('the allowed addresses', () => {
  const refused = (reason: string) =>
    failed(
      `Temporal refused to start a workflow with the callback http://frontend:7243/namespaces/n/nexus/callback: ${reason}`,
      'BAD_REQUEST',
    );

  it('are named by what the server of the handler knows them as', () => {
    const findings = callFindings(
      seen(
        refused(
          'invalid url: url does not match any configured callback address: http://frontend:7243/… (gRPC status 3)',
        ),
      ),
      dev,
    );
    expect(findings.map(({ hop, status }) => `${hop} ${status}`)).toEqual([
      'callback-template ok',
      'call ok',
      'allowed-addresses fail',
    ]);
    expect(findings[2]).toMatchObject({
      says: 'completions may not go to http://frontend:7243/namespaces/n/nexus/callback',
      why: expect.stringContaining('handlers.example:7233'),
    });
    expect(findings[2]?.type?.join('\n')).toContain(
      'component.callbacks.allowedAddresses: [{ value: [{"Pattern":"frontend:7243","AllowInsecure":true}] }]',
    );
  });

  it('are not blamed for a start that is refused for another reason', () => {
    expect(callFindings(seen(refused('Request unauthorized. (gRPC status 7)')), dev).at(-1)).toMatchObject({
      hop: 'allowed-addresses',
      says: "the handler's Temporal refused to start a workflow: Request unauthorized. (gRPC status 7)",
    });
  });

  it('are well where a workflow was started', () => {
    expect(callFindings(seen({ state: 'started', token: 't' }), dev).at(-1)).toMatchObject({
      hop: 'allowed-addresses',
      status: 'ok',
    });
  });
});
