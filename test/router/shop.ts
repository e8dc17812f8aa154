import type { Endpoint } from '../../src/router/ports.ts';

/** An endpoint that says of itself no more than it must. */
export const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};
