import { createServiceHandler } from 'nexus-lambda';

export const handler = createServiceHandler({ services: [] });
