import { expect } from 'vitest';
import type { NthCall } from './faulty-proxy.ts';
import type { HandlerAnswer, QueuedWorld } from './queued-world.ts';

/** A step in the life of a queued operation: who makes it, what was before it, what it is, and where all leads in the end. */
export interface Step {
  readonly prepare: (world: QueuedWorld) => Promise<void>;
  /** Says what whoever asked for the step is told. */
  readonly act: (world: QueuedWorld) => Promise<string>;
  /** What whoever asked for it does where it was told that the step failed. */
  readonly repeat?: (world: QueuedWorld) => Promise<string>;
  readonly isDone: (world: QueuedWorld) => Promise<boolean>;
  readonly settings?: { readonly poisonAttempts?: number };
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
  complete: { prepare: run, act: completionTaken, isDone: isDelivered },
  'complete what is large': { prepare: (world) => run(world, 'large'), act: completionTaken, isDone: isDelivered },
  'complete again': {
    async prepare(world) {
      await run(world);
      world.statuses.push(503);
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
  row('router', 'accept', ['Query', 1, 'endpoint'], ''),
  row('router', 'accept', ['PutItem', 1, 'record'], ''),
  row('router', 'accept', ['SendMessage', 1, 'wake-up'], ''),
  row('handler', 'run', ['UpdateItem', 1, 'claim'], ''),
  row('handler', 'run', ['UpdateItem', 2, 'outcome'], ''),
  row('handler', 'run', ['SendMessage', 1, 'completion'], ''),
  row('handler', 'try again', ['UpdateItem', 2, 'failure'], ''),
  row('handler', 'try again', ['SendMessage', 1, 'wake-up'], ''),
  row('handler', 'take out', ['GetItem', 1, 'record'], ''),
  row('handler', 'take out', ['UpdateItem', 2, 'dead-lettered'], ''),
  row('handler', 'take out', ['SendMessage', 1, 'dead letter'], ''),
  row('handler', 'take out', ['UpdateItem', 3, 'dead letter sent'], ''),
  row('operations function', 'complete what is large', ['GetItem', 1, 'record'], ''),
  row('operations function', 'complete', ['Query', 1, 'endpoint'], ''),
  row('operations function', 'complete', ['GetSecretValue', 1, 'authorization'], ''),
  row('operations function', 'complete', ['UpdateItem', 1, 'delivered'], ''),
  row('operations function', 'complete again', ['UpdateItem', 1, 'refused'], ''),
  row('operations function', 'complete again', ['SendMessage', 1, 'completion'], ''),
  row('operations function', 'reconcile', ['Query', 1, 'what is due'], ''),
  row('operations function', 'reconcile', ['GetItem', 1, 'record'], ''),
  row('operations function', 'reconcile', ['UpdateItem', 1, 'looked after'], ''),
  row('operations function', 'reconcile', ['SendMessage', 1, 'wake-up'], ''),
  row('router', 'cancel', ['GetItem', 1, 'record'], ''),
  row('router', 'cancel', ['UpdateItem', 1, 'outcome'], ''),
  row('router', 'cancel', ['SendMessage', 1, 'completion'], ''),
  row('router', 'cancel what was handed over', ['UpdateItem', 1, 'cancel'], ''),
  row('router', 'cancel what was handed over', ['Invoke', 1, 'handler'], ''),
  row('router', 'cancel what was handed over', ['UpdateItem', 2, 'cancel forwarded'], ''),
];
