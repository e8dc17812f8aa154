import { isGrpcServiceError } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { CHECK_OPERATION, DOCTOR_QUEUE_PREFIX, DOCTOR_SERVICE, RELAY_OPERATION } from '../nexus/doctor-contract.ts';
import { endedOperationSeen, type OperationSeen, pendingOperationSeen } from './doctor-seen.ts';
import { type DoctorSession, IDENTITY, POLL_MS } from './doctor-session.ts';

const { COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION } = proto.temporal.api.enums.v1.CommandType;

/** What the doctor's workflow calls. */
export interface DoctorCall {
  /** Name of the Nexus endpoint in Temporal. */
  readonly endpoint: string;
  /** The task queue that the handler's workflow is to wait on; without it the handler only answers. */
  readonly relayTaskQueue?: string;
}

/** A workflow that has called one operation, and does nothing else. */
export interface DoctorCaller {
  readonly workflowId: string;
  operation(signal: AbortSignal): Promise<OperationSeen>;
  /** Ends it, where it has not ended by itself. */
  end(): Promise<void>;
}

/** After this Temporal itself ends what a doctor left that was killed. */
const TIMEOUT = '5 minutes';

/**
 * Starts a workflow that calls the handler's doctor. It needs no worker: its one workflow task is polled and answered
 * here.
 */
export async function startCaller(
  { connection, ask, terminate }: DoctorSession,
  namespace: string,
  call: DoctorCall,
  signal: AbortSignal,
): Promise<DoctorCaller> {
  const { workflowService } = connection;
  const workflowId = `${DOCTOR_QUEUE_PREFIX}caller-${crypto.randomUUID()}`;
  const taskQueue = { name: workflowId };
  const execution = { workflowId };
  const caller: DoctorCaller = {
    workflowId,
    async operation(within) {
      const { pendingNexusOperations } = await ask(
        () => workflowService.describeWorkflowExecution({ namespace, execution }),
        within,
      );
      const [pending] = pendingNexusOperations;
      if (pending) return pendingOperationSeen(pending);
      const { history } = await ask(
        () => workflowService.getWorkflowExecutionHistory({ namespace, execution }),
        within,
      );
      return endedOperationSeen(history?.events ?? []);
    },
    end: () => terminate(namespace, workflowId),
  };
  const start = {
    namespace,
    workflowId,
    taskQueue,
    workflowType: { name: `${DOCTOR_QUEUE_PREFIX}caller` },
    workflowExecutionTimeout: msToTs(TIMEOUT),
    requestId: crypto.randomUUID(),
    identity: IDENTITY,
  };
  try {
    await ask(() => workflowService.startWorkflowExecution(start), signal);
    const poll = { namespace, taskQueue, identity: IDENTITY };
    const { taskToken } = await ask(() => workflowService.pollWorkflowTaskQueue(poll), signal, POLL_MS);
    const answer = { namespace, taskToken, identity: IDENTITY, commands: [scheduleCommand(call)] };
    await ask(() => workflowService.respondWorkflowTaskCompleted(answer), signal);
    return caller;
  } catch (error) {
    await caller.end();
    throw error;
  }
}

/** The server takes some seconds to know everywhere of an endpoint that was just made. */
export function isUnknownEndpoint(error: unknown): boolean {
  return isGrpcServiceError(error) && /endpoint .* not found|endpoint not registered/i.test(error.details);
}

function scheduleCommand({ endpoint, relayTaskQueue }: DoctorCall): proto.temporal.api.command.v1.ICommand {
  const relays = relayTaskQueue !== undefined;
  return {
    commandType: COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION,
    scheduleNexusOperationCommandAttributes: {
      endpoint,
      service: DOCTOR_SERVICE,
      operation: relays ? RELAY_OPERATION : CHECK_OPERATION,
      scheduleToCloseTimeout: msToTs(TIMEOUT),
      ...(relays && { input: jsonPayload({ taskQueue: relayTaskQueue }) }),
    },
  };
}

/** Without a data converter: what the doctor says is in clear. */
export function jsonPayload(value: unknown): Payload {
  const bytes = (text: string) => new TextEncoder().encode(text);
  return { metadata: { encoding: bytes('json/plain') }, data: bytes(JSON.stringify(value)) };
}
