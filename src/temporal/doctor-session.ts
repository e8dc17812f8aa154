import { type Connection, isGrpcServiceError } from '@temporalio/client';

/** One connection of the doctor, with a limit on each call. */
export interface DoctorSession {
  readonly connection: Connection;
  /** Asks the server. Without a signal it is not to be given up: something is to be cleaned away. */
  ask<R>(question: () => Promise<R>, signal?: AbortSignal, ms?: number): Promise<R>;
  /** Ends a workflow, where it has not ended by itself. */
  terminate(namespace: string, workflowId: string): Promise<void>;
}

/** What the server shows of who asks. */
export const IDENTITY = 'nexus-lambda doctor';

/** Milliseconds that one poll waits for a task, which is there already. */
export const POLL_MS = 10_000;

/** Milliseconds for any other call; a server that is there answers within a few. */
const CALL_MS = 5_000;

const GRPC_NOT_FOUND = 5;

export function createSession(connection: Connection): DoctorSession {
  const session: DoctorSession = {
    connection,
    ask(question, signal, ms = CALL_MS) {
      const limited = () => connection.withDeadline(Date.now() + ms, question);
      return signal === undefined ? limited() : connection.withAbortSignal(signal, limited);
    },
    async terminate(namespace, workflowId) {
      const request = {
        namespace,
        workflowExecution: { workflowId },
        reason: 'the doctor is done',
        identity: IDENTITY,
      };
      await session
        .ask(() => connection.workflowService.terminateWorkflowExecution(request))
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
    },
  };
  return session;
}

export function isNotFound(error: unknown): boolean {
  return isGrpcServiceError(error) && error.code === GRPC_NOT_FOUND;
}
