import type { Client } from '@temporalio/client';
import {
  type Logger,
  LoggerWithComposedMetadata,
  type MetricMeter,
  MetricMeterWithComposedTags,
  SdkComponent,
} from '@temporalio/common';
import { asyncLocalStorage } from '@temporalio/nexus/lib/context.js';
import type { TemporalScope } from '../handler/temporal-side.ts';

/*
 * The one place that touches how the SDK hands its context to handlers: an AsyncLocalStorage that `@temporalio/nexus`
 * marks as internal, and that `@temporalio/worker` imports by this same path.
 */

if (asyncLocalStorage === undefined || typeof asyncLocalStorage.run !== 'function') {
  throw new Error(
    'this version of @temporalio/nexus keeps its handler context elsewhere; nexus-lambda works with @temporalio/nexus 1.23 and 1.24',
  );
}

export interface HandlerScope extends TemporalScope {
  readonly client: Client;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly metricMeter: MetricMeter;
}

/** Milliseconds by which the gRPC deadline follows the abort signal, so that it is the signal that ends a running call. */
const AFTER_SIGNAL_MS = 100;

/**
 * Runs a handler with the SDK's context around it. Calls of its client end with the deadline's signal; a gRPC deadline ends
 * those that start later, since the SDK's connection does not look at a signal that has already fired. A handler that
 * was given up finds its context empty.
 */
export async function runInHandlerContext<R>(scope: HandlerScope, handler: () => Promise<R>): Promise<R> {
  const log = LoggerWithComposedMetadata.compose(sdkLogger(scope.logger), () => ({
    ...scope.logAttributes(),
    sdkComponent: SdkComponent.nexus,
  }));
  const metrics = MetricMeterWithComposedTags.compose(scope.metricMeter, scope.metricTags);
  const whileWaitedFor = <T>(value: () => T): T => {
    if (scope.abandoned())
      throw new ReferenceError('Not in a Nexus handler context: the request deadline has passed and was answered');
    return value();
  };
  const context = {
    namespace: scope.namespace,
    taskQueue: scope.taskQueue,
    endpoint: scope.endpoint,
    get log() {
      return whileWaitedFor(() => log);
    },
    get metrics() {
      return whileWaitedFor(() => metrics);
    },
    get client() {
      return whileWaitedFor(() => scope.client);
    },
  };
  const { requestDeadline } = scope.context;
  const inContext = () =>
    scope.client.withAbortSignal(scope.deadlineSignal, () => asyncLocalStorage.run(context, handler));
  if (requestDeadline === undefined) return inContext();
  return scope.client.withDeadline(requestDeadline.getTime() + AFTER_SIGNAL_MS, inContext);
}

/** The SDK's Logger has a `log` by level besides the five methods that everybody's has. */
function sdkLogger(logger: TemporalScope['logger']): Logger {
  return {
    log: (level, message, meta) => logger[LOG_METHOD[level]](message, meta),
    trace: (message, meta) => logger.trace(message, meta),
    debug: (message, meta) => logger.debug(message, meta),
    info: (message, meta) => logger.info(message, meta),
    warn: (message, meta) => logger.warn(message, meta),
    error: (message, meta) => logger.error(message, meta),
  };
}

const LOG_METHOD = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
