import type {
  CancelOperationContext,
  HandlerStartOperationResult,
  OperationContext,
  StartOperationContext,
} from 'nexus-rpc';

/**
 * Interceptors of Nexus operations, in the shape of `@temporalio/worker`'s, so that those of a worker can be passed as
 * they are. The worker's own types cannot be imported without its native library.
 */
export type NexusInterceptorsFactory = (ctx: OperationContext) => NexusInterceptors;

export interface NexusInterceptors {
  readonly inbound?: NexusInboundCallsInterceptor;
  readonly outbound?: NexusOutboundCallsInterceptor;
}

export interface NexusInboundCallsInterceptor {
  startOperation?(
    input: NexusStartOperationInput,
    next: Next<NexusStartOperationInput, NexusStartOperationOutput>,
  ): Promise<NexusStartOperationOutput>;
  cancelOperation?(input: NexusCancelOperationInput, next: Next<NexusCancelOperationInput, void>): Promise<void>;
}

export interface NexusOutboundCallsInterceptor {
  getLogAttributes?(input: LogAttributes, next: (input: LogAttributes) => LogAttributes): LogAttributes;
  getMetricTags?(input: MetricTags, next: (input: MetricTags) => MetricTags): MetricTags;
}

export interface NexusStartOperationInput {
  readonly ctx: StartOperationContext;
  readonly input: unknown;
}

export interface NexusStartOperationOutput {
  readonly result: HandlerStartOperationResult<unknown>;
}

export interface NexusCancelOperationInput {
  readonly ctx: CancelOperationContext;
  readonly token: string;
}

export type LogAttributes = Record<string, unknown>;
export type MetricTags = Record<string, string | number | boolean>;

type Next<I, O> = (input: I) => Promise<O>;

/** One function out of many: the first interceptor is the outermost. */
export function composed<I, O>(
  interceptors: readonly (((input: I, next: (input: I) => O) => O) | undefined)[],
  innermost: (input: I) => O,
): (input: I) => O {
  return interceptors.reduceRight<(input: I) => O>(
    (next, interceptor) => (interceptor === undefined ? next : (input) => interceptor(input, next)),
    innermost,
  );
}
