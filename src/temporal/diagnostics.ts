import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { HandlerError, type OperationHandler } from 'nexus-rpc';
import type { TemporalDiagnostics } from '../handler/temporal-side.ts';
import { beforeAbort } from '../nexus/before-abort.ts';
import {
  DOCTOR_QUEUE_PREFIX,
  type HandlerTemporal,
  RELAY_WORKFLOW_TYPE,
  type RelayInput,
} from '../nexus/doctor-contract.ts';
import { type ConnectConfig, type ConnectOptions, withCredentials } from './connect-config.ts';
import { toHandlerError } from './handler-errors.ts';
import { problemOf, REACH_MS, reachOf, reachTemporal } from './reach.ts';

/** What `nexus-lambda doctor` asks of this side. */
export function temporalDiagnostics(
  config: ConnectConfig,
  fetchCredentials: ConnectOptions['credentials'],
): TemporalDiagnostics {
  return { reach: (signal) => reachAsHandler(config, fetchCredentials, signal), relay };
}

async function reachAsHandler(
  { taskQueue, namespace, connectionOptions }: ConnectConfig,
  fetchCredentials: ConnectOptions['credentials'],
  signal: AbortSignal,
): Promise<HandlerTemporal> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]);
  try {
    const credentials = fetchCredentials && (await beforeAbort(limited, fetchCredentials()));
    const target = { namespace, connectionOptions: withCredentials(connectionOptions, credentials) };
    return { ...(await reachTemporal(target, signal)), taskQueue };
  } catch {
    // The reason may hold names that are not for a caller; the log has it, from when the client was made.
    const problem = { step: 'credentials', message: 'the credentials cannot be used' } as const;
    return { ...reachOf({ namespace, connectionOptions }), taskQueue, problem };
  }
}

/** The doctor completes it within seconds; this is for one that went away. */
const RELAY_TIMEOUT = '5 minutes';

const relay: OperationHandler<RelayInput, unknown> = {
  start: async (ctx, input) => {
    checkTaskQueue(input);
    return (await relayOperation()).start(ctx, input);
  },
  cancel: async (ctx, token) => (await relayOperation()).cancel(ctx, token),
};

/** Workflow-backed as any operation of a user, so that what works here works there. */
async function relayOperation(): Promise<OperationHandler<RelayInput, unknown>> {
  const { startWorkflow, WorkflowRunOperationHandler } = await import('@temporalio/nexus');
  return new WorkflowRunOperationHandler<RelayInput, unknown>(async (ctx, { taskQueue }) => {
    const workflowId = `${DOCTOR_QUEUE_PREFIX}relay-${ctx.requestId}`;
    try {
      return await startWorkflow(ctx, RELAY_WORKFLOW_TYPE, {
        taskQueue,
        workflowId,
        workflowExecutionTimeout: RELAY_TIMEOUT,
      });
    } catch (error) {
      if (ctx.abortSignal.aborted) throw error; // nobody has refused anything
      throw inOneMessage(error, ctx.callbackUrl);
    }
  });
}

function checkTaskQueue(input: Partial<RelayInput> | undefined): void {
  if (typeof input?.taskQueue === 'string' && input.taskQueue.startsWith(DOCTOR_QUEUE_PREFIX)) return;
  throw new HandlerError('BAD_REQUEST', `taskQueue must begin with "${DOCTOR_QUEUE_PREFIX}"`);
}

/** Causes reach a caller in forms that differ between servers; the message always does. */
function inOneMessage(error: unknown, callbackUrl: string | undefined): HandlerError {
  const { type, retryableOverride } = toHandlerError(error);
  const { code, message } = problemOf('connect', grpcErrorIn(error));
  const status = code === undefined ? '' : ` (gRPC status ${code})`;
  const refused = `Temporal refused to start a workflow with ${describeCallback(callbackUrl)}: ${message}${status}`;
  return new HandlerError(type, refused, { retryableOverride, stackTrace: '' });
}

function grpcErrorIn(error: unknown): unknown {
  return error instanceof ServiceError && isGrpcServiceError(error.cause) ? error.cause : error;
}

/** Without what may be secret in it. */
function describeCallback(url: string | undefined): string {
  if (url === undefined) return 'no callback';
  if (!/^https?:/.test(url)) return `the callback ${url}`;
  const { origin, pathname } = new URL(url);
  return `the callback ${origin}${pathname}`;
}
