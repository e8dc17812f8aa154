import { expect } from 'vitest';
import type { EndpointSettings } from '../../src/router/settings.ts';
import type { NthCall } from './faulty-proxy.ts';
import type { HandlerAnswer, QueuedWorld } from './queued-world.ts';

/** A step in the life of a queued operation: who makes it, what was before it, what it is, and where all leads in the end. */
export interface Step {
  readonly prepare: (world: QueuedWorld) => Promise<void>;
  /** Says what whoever asked for the step is told. */
  readonly act: (world: QueuedWorld) => Promise<string>;
  /** What whoever asked for it does where it was told that the step failed. */
  readonly repeat?: (world: QueuedWorld) => Promise<string>;
  /** What is lost besides, so that what is left does not depend on how fast the emulator is. */
  readonly lose?: (world: QueuedWorld) => Promise<void>;
  readonly isDone: (world: QueuedWorld) => Promise<boolean>;
  readonly settings?: EndpointSettings;
}

const answered = async (status: Promise<number>) => `${await status}`;

async function accept(world: QueuedWorld): Promise<void> {
  expect(await world.start()).toBe(201);
}

async function run(world: QueuedWorld, answer: HandlerAnswer = 'result'): Promise<void> {
  await accept(world);
  world.answers.push(answer);
  expect(await world.takeTask()).toBe('taken');
}

async function isDelivered(world: QueuedWorld): Promise<boolean> {
  const { outcome, completion } = await world.record();
  return outcome !== undefined && completion?.state === 'delivered';
}

const started = (world: QueuedWorld) => answered(world.start());
const canceled = (world: QueuedWorld) => answered(world.cancel());
const taskTaken = async (world: QueuedWorld) => `message ${await world.takeTask()}`;
const completionTaken = async (world: QueuedWorld) => `message ${await world.takeCompletion()}`;

export const STEPS = {
  accept: { prepare: async () => {}, act: started, repeat: started, isDone: isDelivered },
  run: { prepare: accept, act: taskTaken, isDone: isDelivered },
  'try again': {
    // What is sent with a delay comes after the test: the emulator's clock is not moved.
    settings: { retryInitialMs: 600_000 },
    async prepare(world) {
      await accept(world);
      world.answers.push('failure');
    },
    act: taskTaken,
    isDone: isDelivered,
  },
  'take out': {
    settings: { poisonAttempts: 1 },
    async prepare(world) {
      await accept(world);
      await world.crash();
      world.passHours(1);
    },
    act: taskTaken,
    async isDone(world) {
      const { state, deadLetter } = await world.record();
      return state === 'dead-lettered' && deadLetter === 'done';
    },
  },
  complete: {
    prepare: run,
    act: completionTaken,
    // One that is sent again a second later would race with the reconciler's, whose clock is moved.
    lose: (world) => world.loseCompletions(),
    isDone: isDelivered,
  },
  'complete a large one': { prepare: (world) => run(world, 'large'), act: completionTaken, isDone: isDelivered },
  'complete after a 503': {
    async prepare(world) {
      await run(world);
      world.refusals.push({ status: 503, retryAfterS: 600 });
    },
    act: completionTaken,
    isDone: isDelivered,
  },
  reconcile: {
    async prepare(world) {
      await accept(world);
      await world.loseTasks();
      world.passHours(1);
    },
    act: (world) => world.reconcile(),
    isDone: isDelivered,
  },
  cancel: { prepare: accept, act: canceled, repeat: canceled, isDone: isDelivered },
  'cancel what was handed over': {
    prepare: (world) => run(world, 'token'),
    act: canceled,
    repeat: canceled,
    isDone: async (world) => (await world.record()).cancelForward === 'done',
  },
} as const satisfies Readonly<Record<string, Step>>;

/** One call of AWS in a step, and what comes of a fault of it: where AWS never has it, and where only its answer is lost. */
export interface Row {
  readonly who: string;
  readonly step: keyof typeof STEPS;
  readonly call: NthCall;
  /** What the call is for. */
  readonly what: string;
  readonly never: string;
  readonly lost: string;
}

const row = (
  who: string,
  step: keyof typeof STEPS,
  [name, nth, what]: [string, number, string],
  ...[never, lost = never]: [string, string?]
): Row => ({ who, step, call: { name, nth }, what, never, lost });

export const ROWS: readonly Row[] = [
  row('router', 'accept', ['Query', 1, 'endpoint'], '503, then 201, 1 run, 1 completion'),
  row('router', 'accept', ['PutItem', 1, 'record'], '503, then 201, 1 run, 1 completion'),
  row('router', 'accept', ['SendMessage', 1, 'wake-up'], '201, 1 run, 1 completion'),
  row('handler', 'run', ['UpdateItem', 1, 'claim'], 'message comes again, 1 run, 1 completion'),
  row(
    'handler',
    'run',
    ['UpdateItem', 2, 'outcome'],
    'message comes again, 2 runs, 1 completion',
    'message comes again, 1 run, 1 completion',
  ),
  row(
    'handler',
    'run',
    ['SendMessage', 1, 'completion'],
    'message taken, 1 run, 1 completion',
    'message taken, 1 run, 2 completions',
  ),
  row('handler', 'try again', ['UpdateItem', 2, 'failure'], 'message comes again, 2 runs, 1 completion'),
  row('handler', 'try again', ['SendMessage', 1, 'wake-up'], 'message taken, 2 runs, 1 completion'),
  row('handler', 'take out', ['GetItem', 1, 'record'], 'message comes again, 1 dead letter'),
  row('handler', 'take out', ['UpdateItem', 2, 'dead-lettered'], 'message comes again, 1 dead letter'),
  row(
    'handler',
    'take out',
    ['SendMessage', 1, 'dead letter'],
    'message taken, 1 dead letter',
    'message taken, 3 dead letters',
  ),
  row(
    'handler',
    'take out',
    ['UpdateItem', 3, 'dead letter sent'],
    'message taken, 2 dead letters',
    'message taken, 1 dead letter',
  ),
  row('operations', 'complete a large one', ['GetItem', 1, 'record'], 'message comes again, 1 run, 1 completion'),
  row('operations', 'complete', ['Query', 1, 'endpoint'], 'message taken, 1 run, 1 completion'),
  row('operations', 'complete', ['GetSecretValue', 1, 'authorization'], 'message taken, 1 run, 1 completion'),
  row(
    'operations',
    'complete',
    ['UpdateItem', 1, 'delivered'],
    'message comes again, 1 run, 2 completions',
    'message comes again, 1 run, 1 completion',
  ),
  row('operations', 'complete after a 503', ['UpdateItem', 1, '503'], 'message comes again, 1 run, 2 completions'),
  row('operations', 'complete after a 503', ['SendMessage', 1, 'completion'], 'message taken, 1 run, 2 completions'),
  row('operations', 'reconcile', ['Query', 1, 'what is due'], 'fails, 1 run, 1 completion'),
  row('operations', 'reconcile', ['GetItem', 1, 'record'], 'looks after it, 1 run, 1 completion'),
  row('operations', 'reconcile', ['GetQueueAttributes', 1, 'backlog'], 'looks after it, 1 run, 1 completion'),
  row('operations', 'reconcile', ['UpdateItem', 1, 'looked after'], 'looks after it, 1 run, 1 completion'),
  row('operations', 'reconcile', ['SendMessage', 1, 'wake-up'], 'looks after it, 1 run, 1 completion'),
  row('router', 'cancel', ['GetItem', 1, 'record'], '503, then 202, 1 completion'),
  row('router', 'cancel', ['UpdateItem', 1, 'outcome'], '503, then 202, 1 completion'),
  row('router', 'cancel', ['SendMessage', 1, 'completion'], '202, 1 completion', '202, 2 completions'),
  row('router', 'cancel what was handed over', ['UpdateItem', 1, 'cancel'], '503, then 202, 1 run'),
  row('router', 'cancel what was handed over', ['Invoke', 1, 'cancel of the handler'], '202, 1 run'),
  row('router', 'cancel what was handed over', ['UpdateItem', 2, 'cancel forwarded'], '202, 1 run'),
];

/** The rows as docs/faults.md has them. */
export function formatRow({ who, step, call, what, never, lost }: Row): string {
  return `| ${who}: ${step} | \`${call.name}\` (${what}) | ${never} | ${lost === never ? 'the same' : lost} |`;
}
