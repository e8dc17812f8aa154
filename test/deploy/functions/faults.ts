import { createServiceHandler } from 'nexus-lambda';
import { operation, service, serviceHandler } from 'nexus-rpc';

const faults = service('faults', {
  greet: operation<{ name: string }, { message: string }>(),
  reverse: operation<Uint8Array, Uint8Array>(),
  throwError: operation<void, void>(),
  throwText: operation<void, void>(),
  exit: operation<void, void>(),
  leaveRejection: operation<void, void>(),
  fillMemory: operation<void, void>(),
  hang: operation<void, void>(),
  block: operation<void, void>(),
  answerObject: operation<void, void>(),
  answerNull: operation<void, void>(),
  answerCycle: operation<void, void>(),
  answerLarge: operation<void, string>(),
  /** Hangs for as long as the URL does. */
  waitFor: operation<{ url: string }, void>(),
});

const never = () => new Promise<never>(() => {});

const faultsHandler = serviceHandler(faults, {
  greet: async (_ctx, { name }) => ({ message: `Hello, ${name}!` }),
  reverse: async (_ctx, bytes) => bytes.toReversed(),
  throwError: async () => {
    throw new Error('the till is broken');
  },
  throwText: async () => {
    throw 'the till is broken';
  },
  exit: async () => {
    console.error('the till is broken');
    process.exit(3);
  },
  leaveRejection: async () => {
    Promise.reject(new Error('the till is broken'));
    await never();
  },
  fillMemory: async () => {
    const kept: number[][] = [];
    for (;;) kept.push(new Array(1_000_000).fill(kept.length));
  },
  hang: never,
  block: async () => {
    for (;;);
  },
  answerObject: async () => {},
  answerNull: async () => {},
  answerCycle: async () => {},
  answerLarge: async () => 'x'.repeat(2 * 1024 * 1024),
  waitFor: async (_ctx, { url }) => {
    await (await fetch(url)).text();
  },
});

/** What a middleware may make of an answer by mistake. */
const replacements: Record<string, () => unknown> = {
  answerObject: () => ({ till: 'the till is broken' }),
  answerNull: () => null,
  answerCycle: () => {
    const cycle: Record<string, unknown> = { till: 'the till is broken' };
    cycle.self = cycle;
    return cycle;
  },
};

export const handler = createServiceHandler({ services: [faultsHandler] }).after((request) => {
  const { path } = (request.event as { request: { path: string } }).request;
  const replace = replacements[path.split('/').at(-1) ?? ''];
  if (replace) request.response = replace() as typeof request.response;
});
