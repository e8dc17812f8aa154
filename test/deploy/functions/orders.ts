import { createServiceHandler } from 'nexus-lambda';
import { operation, service, serviceHandler } from 'nexus-rpc';
import type { Release } from '../apps/endpoint-app.ts';

/** What the app bundles it as. */
declare const RELEASE: Release;

const { name: release, operations } = RELEASE;

/** Each operation says of which release the handler is. */
export const handler = createServiceHandler({
  services: [
    serviceHandler(
      service(
        'orders',
        Object.fromEntries(operations.map((name) => [name, operation<unknown, { release: string }>()])),
      ),
      Object.fromEntries(operations.map((name) => [name, async () => ({ release })])),
    ),
  ],
});
