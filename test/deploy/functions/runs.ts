import { createServiceHandler } from 'nexus-lambda';
import { operation, service, serviceHandler } from 'nexus-rpc';

let runs = 0;

/** Says how often it ran in this environment: whoever calls before and after something knows whether it ran meanwhile. */
export const handler = createServiceHandler({
  services: [
    serviceHandler(service('runs', { count: operation<void, { runs: number }>() }), {
      count: async () => ({ runs: ++runs }),
    }),
  ],
});
