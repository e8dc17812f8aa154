import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetFunctionConfigurationCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, onTestFailed, vi } from 'vitest';
import type { OperationRecord } from '../../src/operations/record.ts';
import { type CallbackServer, openCallback } from '../operations/callback-server.ts';
import { rootOf } from './emulated-api.ts';
import { createKillPlans, type Kill } from './kill-plans.ts';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';
import { startTemporalCallers, type TemporalCallers } from './temporal-callers.ts';

/** Of the operation `count`: in which of its runs it got to its end. */
interface Counted {
  readonly id: string;
  readonly run: number;
}

let app: QueuedApp;
let temporal: TemporalCallers;
let callback: CallbackServer;
let folder: string;
/** Where handlers write down when a run begins and when it ends. */
let file: string;
const plans = createKillPlans();
const problems: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-kills-'));
  file = join(folder, 'runs');
  await writeFile(file, '');
  [app, temporal] = await Promise.all([deployQueuedApp(), startTemporalCallers()]);
  await app.setVisibilityTimeout(app.outputs.CompletionQueue, 15);
  await temporal.createEndpoint('outage', app.targetUrl('outage'));
  callback = await openCallback(async (request, response) => {
    const { body } = callback.received.findLast(({ url }) => url === request.url)!;
    await checkCompletion((request.url ?? '').slice(1), body.toString());
    response.end();
  });
});
afterAll(async () => {
  await callback?.close();
  await temporal?.stop();
  await app?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A completion is of the last run of its operation, which got to its end. */
async function checkCompletion(id: string, body: string): Promise<void> {
  const { runs, ends } = await runsOf(id);
  const { run } = JSON.parse(body) as Counted;
  if (run !== runs || ends === 0) problems.push(`a completion of ${id}: ${body}, after ${runs} runs and ${ends} ends`);
}

/** How often a handler began with an operation, and got to its end. */
async function runsOf(id: string) {
  const lines = (await readFile(file, 'utf8')).split('\n');
  const count = (line: string) => lines.filter((one) => one === line).length;
  return { runs: count(`${id} start`), ends: count(`${id} end`) };
}

/** Starts an operation that is to have so many runs kill their process, again until it is accepted; its token. */
async function accept(id: string, kills = 0): Promise<string> {
  const query = `?callback=${encodeURIComponent(`http://127.0.0.1:${callback.port}/${id}`)}`;
  return vi.waitFor(
    async () => {
      const { status, json } = await app.api.call(`/nexus/endpoints/outage/services/warehouse/count${query}`, {
        credentials: rootOf(app.emulator),
        headers: { 'nexus-request-id': id },
        body: JSON.stringify({ file, id, kills }),
      });
      expect({ status, json }).toMatchObject({ status: 201 });
      return (json as { token: string }).token;
    },
    { timeout: 30_000, interval: 500 },
  );
}

/** Has nothing run until all of it was accepted. */
async function accepted<T>(accepting: () => Promise<T>): Promise<T> {
  const { OutageQueue } = app.outputs;
  await app.setDelivery(OutageQueue, { Enabled: false });
  try {
    return await accepting();
  } finally {
    await app.setDelivery(OutageQueue, { Enabled: true });
  }
}

/** The records once each completion was delivered, with the schedule at another pace than every minute. */
async function delivered(tokens: readonly string[]): Promise<OperationRecord[]> {
  return vi.waitFor(
    async () => {
      await app.reconcile();
      const records = await Promise.all(
        tokens.map(async (token) => (await app.record(token)) ?? expect.unreachable(`there is no record of ${token}`)),
      );
      const left = records.filter(({ completion }) => completion?.state !== 'delivered');
      await Promise.all(left.map(hurry));
      expect(left.map(({ token, state, attempt }) => ({ token, state, attempt, done: plans.done(token) }))).toEqual([]);
      return records;
    },
    { timeout: 300_000, interval: 1_000 },
  );
}

/** Whether a message was to be sent, and was not. */
const isLost = ({ step, point }: Kill) =>
  step === 'outcome' ? point === 'after' : point === 'before' && (step === 'wake' || step === 'completion');
const hurried = new Map<string, number>();

/** Where the message of an operation was lost, has the minute be over that the reconciler gives it. */
async function hurry(record: OperationRecord): Promise<void> {
  const { token, state, dueAt = 0, version } = record;
  const times = hurried.get(token) ?? 0;
  if (state === 'claimed' || dueAt <= Date.now() || plans.done(token).filter(isLost).length <= times) return;
  hurried.set(token, times + 1);
  await app.store.update(record, { ...record, version: version + 1, dueAt: Date.now() });
}

/** How an operation went, and what its caller got of it. */
async function seen({ state, attempt, crashes, outcome }: OperationRecord, id: string) {
  const bodies = callback.received.filter(({ url }) => url === `/${id}`).map(({ body }) => body.toString());
  const record = { state, attempt, crashes, outcome: outcome?.state };
  return { ...(await runsOf(id)), ...record, completions: bodies.length, contents: [...new Set(bodies)] };
}

/** On a machine that is too busy an attempt may be out of time before its handler runs, and then there is another one. */
const atLeast = (least: number) => expect.toSatisfy((count: number) => count >= least);

interface Hit {
  readonly killed: string;
  /** The runs that kill their process. */
  readonly own?: number;
  readonly kills?: readonly Kill[];
  readonly runs?: number;
  readonly attempt?: number;
  readonly completions?: number;
}

/** Where a process is killed, and what of it is more than one then. */
const HITS: readonly Hit[] = [
  { killed: 'before the claim is written', kills: [{ step: 'claim', point: 'before' }] },
  { killed: 'between the claim and the handler', kills: [{ step: 'claim', point: 'after' }], attempt: 2 },
  { killed: 'while the handler runs', own: 1, runs: 2, attempt: 2 },
  {
    killed: 'between the handler and the write of how it ended',
    kills: [{ step: 'outcome', point: 'before' }],
    ...{ runs: 2, attempt: 2 },
  },
  { killed: 'when that is written', kills: [{ step: 'outcome', point: 'after' }] },
  { killed: "before the completion's message is sent", kills: [{ step: 'completion', point: 'before' }] },
  { killed: 'when that message is sent', kills: [{ step: 'completion', point: 'after' }] },
  {
    killed: 'between the POST and the write of what came of it',
    kills: [{ step: 'result', point: 'before' }],
    completions: 2,
  },
  { killed: 'when that is written', kills: [{ step: 'result', point: 'after' }] },
];

it('loses nothing, and runs again only what was hit, where a function is killed at one point of an operation', async () => {
  // Messages come again while the lease of their attempt is not over, and are gone then: the reconciler has to see to it.
  await app.setVisibilityTimeout(app.outputs.OutageQueue, 2);
  const operations = HITS.map((hit, n) => ({ ...hit, id: `one-${n}` }));
  const tokens = await accepted(async () => {
    const all: string[] = [];
    for (const { id, own } of operations) all.push(await accept(id, own));
    return all;
  });
  for (const [n, { kills = [] }] of operations.entries()) plans.plan(tokens[n]!, kills);
  app.aws.killAt(plans.decide);
  const records = await delivered(tokens);
  const got = operations.map(async ({ killed, id }, n) => ({ killed, ...(await seen(records[n]!, id)) }));
  expect(await Promise.all(got)).toEqual(
    operations.map(({ killed, id, own = 0, runs = 1, attempt = 1, completions = 1 }) => ({
      ...{ killed, runs, ends: runs - own, state: 'ended', outcome: 'succeeded' },
      ...{ attempt: atLeast(attempt), crashes: atLeast(attempt - 1) },
      ...{ completions, contents: [JSON.stringify({ id, run: runs })] },
    })),
  );
  expect(tokens.map((token) => plans.done(token))).toEqual(operations.map(({ kills = [] }) => kills));
  expect(problems).toEqual([]);
}, 400_000);

it('sends the completion once where its function is killed before the POST', async () => {
  await restartOperations();
  let killed = 0;
  // The first thing that it does: it has to know the endpoint.
  app.completions.killAt(({ name, body }) => {
    if (killed > 0 || !name.endsWith('.Query') || !body.includes('outage')) return undefined;
    killed++;
    return 'before';
  });
  const token = await accept('unposted');
  const [record] = await delivered([token]);
  expect(killed).toBe(1);
  expect(await seen(record!, 'unposted')).toMatchObject({ runs: 1, attempt: 1, completions: 1 });
  expect(problems).toEqual([]);
});

async function restartOperations(): Promise<void> {
  const FunctionName = app.outputs.OperationsFunction;
  const { Environment } = await app.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const Variables = { ...Environment?.Variables, RESTARTED: 'yes' };
  await app.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
  await waitUntilFunctionUpdatedV2({ client: app.lambda, maxWaitTime: 60 }, { FunctionName });
}

const anyPoint = fc.constantFrom('before', 'after');
const crash: fc.Arbitrary<Kill> = fc.constantFrom(
  { step: 'claim', point: 'after' },
  { step: 'outcome', point: 'before' },
);
const slip: fc.Arbitrary<Kill> = fc.oneof(
  fc.record({ step: fc.constantFrom('wake', 'completion', 'result'), point: anyPoint }),
  fc.constantFrom<Kill>({ step: 'claim', point: 'before' }, { step: 'outcome', point: 'after' }),
);
/** Each crash costs the time of a lease, and the fifth is the last. */
const plan = fc.record({
  own: fc.nat(3).map((n) => (n === 0 ? 1 : 0)),
  crashes: fc.array(crash, { maxLength: 1 }),
  slips: fc.array(slip, { maxLength: 2 }),
});

it('loses nothing, and runs again only what was hit, where functions are killed at random', async () => {
  const seed = Number(process.env.KILLS_SEED ?? (process.env.CI ? 1 : Math.floor(Math.random() * 2 ** 31)));
  onTestFailed(() => console.error(`to have the same kills again: KILLS_SEED=${seed}`));
  // Longer than the lease of an attempt, as on AWS: its message finds out that it is over.
  await app.setVisibilityTimeout(app.outputs.OutageQueue, 12);
  const operations = fc.sample(plan, { seed, numRuns: 24 }).map((one, n) => ({ ...one, id: `any-${n}` }));
  const [ofWorkflow, ofCallback] = [operations.slice(0, 8), operations.slice(8)];
  const { caller, tokens } = await accepted(async () => {
    const inputs = ofWorkflow.map(({ id, own }) => ({ file, id, kills: own }));
    const caller = await temporal.callAll({ endpoint: 'outage', service: 'warehouse', operation: 'count' }, inputs, 10);
    const tokens: string[] = [];
    for (const { id, own } of ofCallback) tokens.push(await accept(id, own));
    const workflowTokens = await vi.waitFor(
      async () => {
        const started = await temporal.startedTokens(caller);
        expect(started).toHaveLength(ofWorkflow.length);
        return started;
      },
      { timeout: 60_000, interval: 200 },
    );
    return { caller, tokens: [...workflowTokens, ...tokens] };
  });
  for (const [n, { crashes, slips }] of operations.entries()) plans.plan(tokens[n]!, [...crashes, ...slips]);
  app.aws.killAt(plans.decide);
  const records = await delivered(tokens);

  expect(await caller.result()).toEqual(
    await Promise.all(ofWorkflow.map(async ({ id }) => ({ id, run: (await runsOf(id)).runs }))),
  );
  const events = await temporal.operationEvents(caller);
  const counts = Object.groupBy(events, (event) => event);
  expect(events).toHaveLength(3 * ofWorkflow.length);
  expect(counts.Completed).toHaveLength(ofWorkflow.length);

  const got = await Promise.all(operations.map(async ({ id }, n) => seen(records[n]!, id)));
  expect(got).toEqual(
    operations.map(({ id, own }, n) => {
      const hits = plans.done(tokens[n]!);
      const again = own + hits.filter(({ step, point }) => step === 'outcome' && point === 'before').length;
      const unrun = hits.filter(({ step, point }) => step === 'claim' && point === 'after').length;
      const body = JSON.stringify({ id, run: 1 + again });
      return {
        ...{ runs: 1 + again, ends: 1 + again - own, state: 'ended', outcome: 'succeeded' },
        ...{ attempt: atLeast(1 + again + unrun), crashes: atLeast(again + unrun) },
        completions:
          n < ofWorkflow.length ? 0 : expect.toSatisfy((sent: number) => sent >= 1 && sent <= 1 + hits.length),
        contents: n < ofWorkflow.length ? [] : [body],
      };
    }),
  );
  expect(problems).toEqual([]);
  // So that this says something.
  expect(tokens.flatMap((token) => plans.done(token)).length).toBeGreaterThan(8);
}, 400_000);

it('leaves no message behind', async () => {
  const { OutageQueue, OutageDeadLetterQueue, CompletionQueue } = app.outputs;
  for (const queue of [OutageQueue, CompletionQueue]) {
    await vi.waitFor(async () => expect(await app.messages(queue)).toBe(0), { timeout: 60_000, interval: 500 });
  }
  expect(await app.messages(OutageDeadLetterQueue)).toBe(0);
});
