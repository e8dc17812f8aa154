import { routerHandlerOfEnvironment } from '../src/aws/router-handler.ts';

export const handler = routerHandlerOfEnvironment();
