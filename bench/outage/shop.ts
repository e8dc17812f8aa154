/*
 * The handler that the outage takes down: by its capacity, or by failing while a file is there.
 */
import { existsSync } from 'node:fs';
import { createServiceHandler } from 'nexus-lambda';
import { queuedDelivery } from 'nexus-lambda/aws';
import { HandlerError, operation, service, serviceHandler } from 'nexus-rpc';

const shop = service('shop', { order: operation<number, number>() });

export const handler = createServiceHandler({
  queue: queuedDelivery(),
  services: [
    serviceHandler(shop, {
      async order(_ctx, number) {
        const { OUTAGE_FILE = '' } = process.env;
        if (existsSync(OUTAGE_FILE)) throw new HandlerError('UNAVAILABLE', 'the database is down');
        return number;
      },
    }),
  ],
});
