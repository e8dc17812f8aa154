import {
  CancellationScope,
  condition,
  createNexusServiceClient,
  defineSignal,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { operation, service } from 'nexus-rpc';

/** An operation at an endpoint. */
export interface CallTarget {
  readonly endpoint: string;
  readonly service: string;
  readonly operation: string;
}

export type CancellationType = 'ABANDON' | 'TRY_CANCEL' | 'WAIT_CANCELLATION_REQUESTED' | 'WAIT_CANCELLATION_COMPLETED';

/** How a canceled operation looked from its caller. */
export interface CanceledCall {
  /** `succeeded`, `canceled`, or what it failed with. */
  readonly outcome: string;
  /** Number of events in the caller's history when the outcome was told. */
  readonly historyLength: number;
}

const LONGEST_CALL = '2 minutes';

/** Calls an operation and returns its result. The input stands alone, so that `undefined` and bytes stay what they are. */
export async function callOperation(target: CallTarget, input?: unknown): Promise<unknown> {
  return clientOf(target).executeOperation(target.operation, input, { scheduleToCloseTimeout: LONGEST_CALL });
}

/** Calls an operation with each of these inputs at the same time, and returns their results. */
export async function callOperations(target: CallTarget, inputs: readonly unknown[]): Promise<unknown[]> {
  return Promise.all(inputs.map((input) => callOperation(target, input)));
}

/** Calls an operation with each of these inputs, so many at a time until all have started, and returns their results. */
export async function callInTurn(target: CallTarget, inputs: readonly unknown[], atATime: number): Promise<unknown[]> {
  const client = clientOf(target);
  const start = (input: unknown) =>
    client.startOperation(target.operation, input, { scheduleToCloseTimeout: '15 minutes' });
  const started: Awaited<ReturnType<typeof start>>[] = [];
  while (started.length < inputs.length) {
    const next = inputs.slice(started.length, started.length + atATime);
    started.push(...(await Promise.all(next.map(start))));
  }
  return Promise.all(started.map((operation) => operation.result()));
}

/** Lets a caller end: while it runs, the server goes on delivering its cancellations. */
export const leave = defineSignal('leave');

/** Starts an operation, cancels it once it has started, stays until it may leave, and returns how and when that came back. */
export async function cancelOperation(
  target: CallTarget,
  input: unknown,
  cancellationType: CancellationType,
): Promise<CanceledCall> {
  let mayLeave = false;
  setHandler(leave, () => {
    mayLeave = true;
  });
  const scope = new CancellationScope();
  const outcome = await scope.run(async () => {
    const options = { scheduleToCloseTimeout: LONGEST_CALL, cancellationType };
    const started = await clientOf(target).startOperation(target.operation, input, options);
    scope.cancel();
    try {
      await started.result();
      return 'succeeded';
    } catch (error) {
      return isCancellation(error) ? 'canceled' : String(error);
    }
  });
  const { historyLength } = workflowInfo();
  await condition(() => mayLeave);
  return { outcome, historyLength };
}

function clientOf({ endpoint, service: name, operation: operationName }: CallTarget) {
  return createNexusServiceClient({
    endpoint,
    service: service(name, { [operationName]: operation<unknown, unknown>() }),
  });
}
