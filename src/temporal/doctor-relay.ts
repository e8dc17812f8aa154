import proto from '@temporalio/proto';
import { jsonPayload } from './doctor-caller.ts';
import { type CallbackSeen, callbackSeen } from './doctor-seen.ts';
import { type DoctorSession, IDENTITY, isNotFound, POLL_MS } from './doctor-session.ts';

const { COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION } = proto.temporal.api.enums.v1.CommandType;

/** The workflow that the handler has started for the doctor. */
export interface DoctorRelay {
  readonly workflowId: string;
  readonly namespace: string;
  /** Completes it, as a worker would: its one workflow task is polled and answered here. */
  complete(taskQueue: string, signal: AbortSignal): Promise<void>;
  /** The callback that it was started with. */
  callback(signal: AbortSignal): Promise<CallbackSeen | undefined>;
  /** Ends it, where it has not ended by itself. */
  end(): Promise<void>;
}

/**
 * Finds the workflow behind the token of an operation; undefined where this server has none such: the handler's
 * Temporal is another one.
 */
export async function findRelay(
  { connection, ask, terminate }: DoctorSession,
  token: string,
  signal: AbortSignal,
): Promise<DoctorRelay | undefined> {
  const { workflowService } = connection;
  const { namespace, workflowId } = readToken(token);
  const execution = { workflowId };
  const describe = (within: AbortSignal) =>
    ask(() => workflowService.describeWorkflowExecution({ namespace, execution }), within);
  try {
    await describe(signal);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  return {
    workflowId,
    namespace,
    async complete(taskQueue, within) {
      const poll = { namespace, taskQueue: { name: taskQueue }, identity: IDENTITY };
      const { taskToken } = await ask(() => workflowService.pollWorkflowTaskQueue(poll), within, POLL_MS);
      const commands = [
        {
          commandType: COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
          completeWorkflowExecutionCommandAttributes: { result: { payloads: [jsonPayload('well')] } },
        },
      ];
      const answer = { namespace, taskToken, identity: IDENTITY, commands };
      await ask(() => workflowService.respondWorkflowTaskCompleted(answer), within);
    },
    async callback(within) {
      const { callbacks } = await describe(within);
      return callbacks[0] && callbackSeen(callbacks[0]);
    },
    end: () => terminate(namespace, workflowId),
  };
}

/** The SDK's token of a workflow-backed operation: JSON in base64url. */
function readToken(token: string): { readonly namespace: string; readonly workflowId: string } {
  const { ns = '', wid = '' } = Object(JSON.parse(Buffer.from(token, 'base64url').toString())) as Record<
    string,
    string
  >;
  return { namespace: ns, workflowId: wid };
}
