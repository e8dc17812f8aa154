import { createServiceHandler } from 'nexus-lambda';
import { temporalSecret } from 'nexus-lambda/aws';
import { temporal } from 'nexus-lambda/temporal';
import { greetingHandler } from './greeting/handler.ts';

export const handler = createServiceHandler({
  services: [greetingHandler],
  temporal: temporal({ credentials: temporalSecret() }),
});
