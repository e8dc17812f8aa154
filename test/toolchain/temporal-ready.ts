import { setTimeout as delay } from 'node:timers/promises';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

const GRPC_NOT_FOUND = 5;
const GRPC_ALREADY_EXISTS = 6;
const ASK_AGAIN_MS = 50;

/**
 * Resolves when the server at `address` takes workflows in the namespace `default`, which is registered where it is
 * missing. Fails after `timeoutMs`, with what the server said last, or soon after `signal` fires.
 */
export async function temporalReady(
  address: string,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const connection = Connection.lazy({
    address,
    // Asking again is ours, and quicker than the client's own.
    interceptors: [],
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': ASK_AGAIN_MS, 'grpc.max_reconnect_backoff_ms': ASK_AGAIN_MS },
  });
  const { workflowService } = connection;
  const deadline = Date.now() + timeoutMs;
  const ask = async (question: () => Promise<unknown>, isAnswer: (error: unknown) => boolean): Promise<void> => {
    for (;;) {
      try {
        await connection.withDeadline(deadline, question);
        return;
      } catch (error) {
        if (isAnswer(error)) return;
        if (Date.now() > deadline) {
          throw new Error(`it took no workflow for ${timeoutMs} ms; its last answer: ${String(error)}`, {
            cause: error,
          });
        }
      }
      await delay(ASK_AGAIN_MS, undefined, { signal });
    }
  };
  try {
    await ask(
      () =>
        workflowService.registerNamespace({ namespace: 'default', workflowExecutionRetentionPeriod: msToTs('1 day') }),
      (error) => isGrpcServiceError(error) && error.code === GRPC_ALREADY_EXISTS,
    );
    // A workflow that is not there: only a server whose services all know the namespace can say so.
    await ask(
      () =>
        workflowService.describeWorkflowExecution({
          namespace: 'default',
          execution: { workflowId: 'asked-for-to-see-whether-the-server-is-ready' },
        }),
      (error) => isGrpcServiceError(error) && error.code === GRPC_NOT_FOUND && !/namespace/i.test(error.details),
    );
  } finally {
    await connection.close();
  }
}
