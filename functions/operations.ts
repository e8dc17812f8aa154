import { operationsHandlerOfEnvironment } from '../src/aws/operations-handler.ts';

export const handler = operationsHandlerOfEnvironment();
