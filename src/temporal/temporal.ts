import {
  CancelledFailure,
  defaultDataConverter,
  type LoadedDataConverter,
  type MetricMeter,
  noopMetricMeter,
} from '@temporalio/common';
import type { TemporalSide } from '../handler/temporal-side.ts';
import { lazyClient } from './client.ts';
import { type ConnectOptions, connectConfig } from './connect-config.ts';
import { sdkConversion } from './conversion.ts';
import { temporalDiagnostics } from './diagnostics.ts';
import { runInHandlerContext } from './handler-context.ts';
import { toHandlerError } from './handler-errors.ts';

export interface TemporalOptions extends ConnectOptions {
  /**
   * The task queue on which the workflows that handlers start run, where they name none of their own. Defaults to
   * `TEMPORAL_TASK_QUEUE`. A worker has its own task queue for this; a Lambda has none.
   */
  readonly taskQueue?: string;
  /** The data converter of the callers: payload converter, failure converter and codecs. Members left out are the SDK's own. */
  readonly dataConverter?: Partial<LoadedDataConverter>;
  /** Where `metricMeter` of `@temporalio/nexus` writes. Defaults to nowhere, as on a worker whose runtime has no metrics set up. */
  readonly metricMeter?: MetricMeter;
}

/**
 * Gives handlers the Temporal client and context that a worker would: `getClient()`, `startWorkflow()`,
 * `WorkflowRunOperationHandler`, `log`, `metricMeter` and `operationInfo()` of `@temporalio/nexus` then work.
 *
 * Without options, the SDK's environment configuration decides: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
 * `TEMPORAL_API_KEY`, `TEMPORAL_TLS…`, or the profile in the file that `TEMPORAL_CONFIG_FILE` names. The connection is
 * made by the first call of a handler, and then kept for as long as the environment lives.
 *
 * @throws Error naming every setting that is missing.
 */
export function temporal(options: TemporalOptions = {}): TemporalSide {
  const config = connectConfig(options, options.taskQueue, process.env);
  const dataConverter: LoadedDataConverter = { ...defaultDataConverter, ...options.dataConverter };
  const client = lazyClient(config, dataConverter, options.credentials);
  const { namespace, taskQueue } = config;
  return {
    conversion: sdkConversion(dataConverter),
    attributes: { namespace, taskQueue },
    toHandlerError,
    deadlineReason: () => new CancelledFailure('TIMED_OUT'),
    diagnostics: temporalDiagnostics(config, options.credentials),
    run: async (scope, handler) =>
      runInHandlerContext(
        {
          ...scope,
          client: await client(scope.logger),
          namespace,
          taskQueue,
          metricMeter: options.metricMeter ?? noopMetricMeter,
        },
        handler,
      ),
  };
}
