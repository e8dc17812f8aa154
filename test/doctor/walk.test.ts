import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AddressSeen } from '../../src/doctor/address-hop.ts';
import type { AnswerSeen } from '../../src/doctor/ask-handler.ts';
import { HOPS } from '../../src/doctor/finding.ts';
import { type TimedFinding, walk } from '../../src/doctor/walk.ts';
import type { CheckResult, TemporalReach } from '../../src/nexus/doctor-contract.ts';
import type { DoctorCall } from '../../src/temporal/doctor-caller.ts';
import type { CallbackSeen, OperationSeen } from '../../src/temporal/doctor-seen.ts';
import type { DoctorTemporal } from '../../src/temporal/doctor-temporal.ts';
import { dev } from './deployments.ts';

const REACH: TemporalReach = {
  address: '127.0.0.1:7233',
  namespace: 'default',
  tls: false,
  authentication: 'none',
  serverVersion: '1.32.1',
};
const CHECK: CheckResult = { nexusLambda: '0.1.0', services: [], temporal: { ...REACH, taskQueue: 'q' } };

/** What a walk comes upon; everything is well unless a test says otherwise. */
interface World {
  readonly address?: AddressSeen;
  readonly answer?: AnswerSeen;
  readonly check?: CheckResult;
  readonly reach?: TemporalReach;
  readonly temporal?: 'none';
  readonly registered?: boolean;
  /** What is seen of the operation, one after the other; the last stays. */
  readonly operations?: readonly OperationSeen[];
  readonly callbacks?: readonly CallbackSeen[];
  readonly relayIsElsewhere?: boolean;
  readonly callError?: unknown;
}

function setUp(world: World = {}) {
  const clock = { nowMs: 0 };
  const log: string[] = [];
  const calls: DoctorCall[] = [];
  const operations = [...(world.operations ?? [{ state: 'started', token: 't' }, { state: 'completed' }])];
  const callbacks = [...(world.callbacks ?? [])];
  const stop = new AbortController();
  const temporal: DoctorTemporal = {
    address: REACH.address,
    namespace: 'default',
    reach: async () => world.reach ?? REACH,
    nexusEndpoints: async () => (world.registered === false ? [] : [{ name: 'shop', url: dev.target.baseUrl }]),
    async startCaller(call) {
      calls.push(call);
      if (world.callError !== undefined) throw world.callError;
      return {
        workflowId: 'caller',
        operation: async () => (operations.length > 1 ? operations.shift()! : operations[0]!),
        end: async () => void log.push('caller ended'),
      };
    },
    findRelay: async () =>
      world.relayIsElsewhere
        ? undefined
        : {
            workflowId: 'relay',
            namespace: 'default',
            complete: async (taskQueue) => void log.push(`relay completed on ${taskQueue}`),
            callback: async () => (callbacks.length > 1 ? callbacks.shift() : callbacks[0]),
            end: async () => void log.push('relay ended'),
          },
    close: async () => void log.push('closed'),
  };
  const deps = {
    connect: async () => world.address ?? ({ step: 'connected', ip: '127.0.0.1', port: 9233, tls: undefined } as const),
    ask: async () =>
      world.answer ??
      ({ kind: 'answer', status: 200, headers: {}, body: JSON.stringify(world.check ?? CHECK) } as const),
    openTemporal: async () => (world.temporal === 'none' ? undefined : temporal),
    now: () => clock.nowMs,
    async wait(ms: number, signal: AbortSignal) {
      clock.nowMs += ms;
      await setImmediate();
      signal.throwIfAborted();
    },
  };
  const findings: TimedFinding[] = [];
  const run = async () => {
    for await (const finding of walk(dev, { deps, timeoutMs: 15_000, signal: stop.signal })) findings.push(finding);
    expect(findings.map(({ hop }) => hop)).toEqual(HOPS);
    return Object.fromEntries(findings.map(({ hop, status, says }) => [hop, status === 'skip' ? says : status]));
  };
  return { run, log, calls, stop, findings, clock };
}

describe('a walk', () => {
  it('tells every hop once, in their order, and ends what it has started', async () => {
    const { run, log, calls } = setUp();
    expect(Object.values(await run())).toEqual(HOPS.map(() => 'ok'));
    const taskQueue = calls[0]?.relayTaskQueue;
    expect(taskQueue).toMatch(/^nexus-lambda-doctor-/);
    expect(log).toEqual([`relay completed on ${taskQueue}`, 'caller ended', 'relay ended', 'closed']);
  });

  it('says what a hop costs, and nothing of one that it did not look at', async () => {
    const { run, findings } = setUp({ temporal: 'none', operations: [] });
    await run();
    expect(findings.filter(({ ms }) => ms === undefined).map(({ hop }) => hop)).toEqual([
      'temporal',
      'nexus-endpoint',
      'callback-template',
      'call',
      'allowed-addresses',
      'way-back',
    ]);
    expect(findings.find(({ hop }) => hop === 'temporal')?.type).toEqual([
      'npx nexus-lambda doctor --url http://127.0.0.1:9233/nexus/endpoints/shop/services --temporal-address HOST:7233',
    ]);
  });

  it('skips what needs a hop that failed, and still looks at Temporal', async () => {
    const { run, log, calls } = setUp({ address: { step: 'dns', code: 'ENOTFOUND', message: 'x' } });
    expect(await run()).toEqual({
      address: 'fail',
      credentials: 'not looked at without "address"',
      route: 'not looked at without "address"',
      handler: 'not looked at without "address"',
      'handler-temporal': 'not looked at without "address"',
      temporal: 'ok',
      'nexus-endpoint': 'ok',
      'callback-template': 'not looked at without "address"',
      call: 'not looked at without "callback-template"',
      'allowed-addresses': 'not looked at without "call"',
      'way-back': 'not looked at without "allowed-addresses"',
    });
    expect(calls).toEqual([]);
    expect(log).toEqual(['closed']);
  });

  it.each<[string, World, string]>([
    ['credentials', { answer: { kind: 'answer', status: 401, headers: {}, body: '{}' } }, 'credentials'],
    ['AWS credentials', { answer: { kind: 'no-aws-credentials', message: 'none' } }, 'credentials'],
    ['a route', { answer: { kind: 'answer', status: 404, headers: {}, body: '{}' } }, 'route'],
    ['a Temporal server', { reach: { ...REACH, problem: { step: 'connect', message: 'x' } } }, 'temporal'],
    ['a Nexus endpoint', { registered: false }, 'nexus-endpoint'],
  ])('calls nothing without %s', async (_what, world, hop) => {
    const { run, calls } = setUp(world);
    const walked = await run();
    expect(walked[hop]).toBe('fail');
    expect(walked['callback-template']).toBe(`not looked at without "${hop}"`);
    expect(calls).toEqual([]);
  });

  it('has a handler without Temporal only answer', async () => {
    const { run, calls } = setUp({
      check: { nexusLambda: '0.1.0', services: [] },
      operations: [{ state: 'completed' }],
    });
    const walked = await run();
    expect(calls).toEqual([{ endpoint: 'shop' }]);
    expect(walked).toMatchObject({
      call: 'ok',
      'allowed-addresses': 'the handler has no Temporal: nothing of it is called back',
      'way-back': 'the handler has no Temporal: nothing of it is called back',
    });
  });

  it('has a handler that does not reach Temporal only answer', async () => {
    const problem = { step: 'connect', message: 'x' } as const;
    const check = { ...CHECK, temporal: { ...REACH, taskQueue: 'q', problem } };
    const { run, calls } = setUp({ check, operations: [{ state: 'completed' }] });
    const walked = await run();
    expect(calls).toEqual([{ endpoint: 'shop' }]);
    expect(walked).toMatchObject({
      'handler-temporal': 'fail',
      call: 'ok',
      'allowed-addresses': 'not looked at without "handler-temporal"',
    });
  });

  it('waits for a slow attempt, and gives an operation up that has none for the time it may take', async () => {
    const waiting = { state: 'waiting', attempts: 0 } as const;
    const slow = setUp({ operations: [waiting, waiting, { state: 'started', token: 't' }, { state: 'completed' }] });
    expect((await slow.run())['callback-template']).toBe('ok');
    const never = setUp({ operations: [waiting] });
    expect((await never.run())['callback-template']).toBe('fail');
    expect(never.clock.nowMs).toBeGreaterThanOrEqual(15_000);
    expect(never.log).toEqual(['caller ended', 'closed']);
  });

  it('says of a callback that fails twice why', async () => {
    const callback = (attempts: number): CallbackSeen => ({
      url: 'http://127.0.0.1:1/x',
      state: 'waiting',
      attempts,
      failure: { message: 'connection refused' },
    });
    const { run, findings, log } = setUp({
      operations: [{ state: 'started', token: 't' }],
      callbacks: [callback(0), callback(1), callback(2)],
    });
    expect((await run())['way-back']).toBe('fail');
    expect(findings.at(-1)?.says).toContain('http://127.0.0.1:1/x: connection refused');
    expect(log.slice(1)).toEqual(['caller ended', 'relay ended', 'closed']);
  });

  it('does not complete what is on another server', async () => {
    const { run, log } = setUp({ relayIsElsewhere: true });
    expect((await run())['way-back']).toContain("the handler's workflows are not on 127.0.0.1:7233");
    expect(log).toEqual(['caller ended', 'closed']);
  });

  it('says why no workflow could call', async () => {
    const { run } = setUp({ callError: { code: 7, details: 'Request unauthorized.' } });
    expect((await run())['callback-template']).toBe('fail');
  });

  it('that is stopped ends both workflows all the same', async () => {
    const { run, log, stop, findings } = setUp({
      operations: [
        { state: 'waiting', attempts: 0 },
        { state: 'started', token: 't' },
      ],
    });
    const walked = run();
    while (!findings.some(({ hop }) => hop === 'nexus-endpoint')) await setImmediate();
    stop.abort();
    await expect(walked).rejects.toThrow('aborted');
    expect(log).toEqual(['caller ended', 'relay ended', 'closed']);
  });
});
