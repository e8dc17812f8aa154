import { operation, service } from 'nexus-rpc';

/** The contract: what callers import, in whatever process they run. */
export const greetingService = service('greeting', {
  hello: operation<{ name: string }, { message: string }>(),
  onboard: operation<{ name: string }, { message: string; steps: string[] }>(),
});
