export type {
  NexusCancelOperationInput,
  NexusInboundCallsInterceptor,
  NexusInterceptors,
  NexusInterceptorsFactory,
  NexusOutboundCallsInterceptor,
  NexusStartOperationInput,
  NexusStartOperationOutput,
} from './handler/interceptors.ts';
export type { LambdaContext, LambdaHttpResult, NexusInvocation } from './handler/invocation.ts';
export type { Logger, LogMetadata } from './handler/logger.ts';
export type { QueueSide } from './handler/queue-side.ts';
export {
  createServiceHandler,
  type Middleware,
  type MiddlewareRequest,
  type ServiceHandlerOptions,
  type ServiceLambdaHandler,
} from './handler/service-handler.ts';
export type { TemporalScope, TemporalSide } from './handler/temporal-side.ts';
