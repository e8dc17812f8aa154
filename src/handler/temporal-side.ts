import type { HandlerError, OperationContext, OperationHandler } from 'nexus-rpc';
import type { HandlerTemporal, RelayInput } from '../nexus/doctor-contract.ts';
import type { DataConversion } from './data-conversion.ts';
import type { Logger } from './logger.ts';

/**
 * What a host adds for handlers that use `@temporalio/nexus`: the SDK's client and context, its payload conversion
 * and its table of errors. Made by `temporal()` of `nexus-lambda/temporal`; a service that only imports `nexus-rpc`
 * goes without, and never loads `@temporalio/client`.
 */
export interface TemporalSide {
  readonly conversion: DataConversion;
  /** The attributes that the SDK's log lines and metrics carry besides service and operation. */
  readonly attributes: { readonly namespace: string; readonly taskQueue: string };
  /** Turns what a handler threw into the HandlerError that a worker would answer. */
  toHandlerError(error: unknown): HandlerError;
  /** The reason with which `ctx.abortSignal` fires at the deadline. */
  deadlineReason(): unknown;
  /** Runs a handler where `getClient()`, `log`, `metricMeter` and `operationInfo()` work. */
  run<R>(scope: TemporalScope, handler: () => Promise<R>): Promise<R>;
  /** For `nexus-lambda doctor`. */
  readonly diagnostics?: TemporalDiagnostics;
}

/** What `nexus-lambda doctor` asks of the Temporal side. */
export interface TemporalDiagnostics {
  /** Whether Temporal can be reached and used from here. Never rejects, and takes a few seconds at most. */
  reach(signal: AbortSignal): Promise<HandlerTemporal>;
  /** Starts a workflow that nobody runs, with the caller's callback. */
  readonly relay: OperationHandler<RelayInput, unknown>;
}

export interface TemporalScope {
  readonly endpoint: string;
  readonly context: OperationContext;
  readonly logger: Logger;
  /** Evaluated anew for every line and metric, since interceptors may add to them. */
  readonly logAttributes: () => Record<string, unknown>;
  readonly metricTags: () => Record<string, string | number | boolean>;
  /**
   * Ends the calls of the client. Not with the operation's cancel: where a call that starts a workflow ends without an
   * answer, that workflow may run all the same, and nobody knows that there is something to cancel.
   */
  readonly deadlineSignal: AbortSignal;
  /** True from the moment on when this handler was given up: then client and context are taken from it. */
  readonly abandoned: () => boolean;
}
