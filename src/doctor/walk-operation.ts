import { type CheckResult, DOCTOR_QUEUE_PREFIX } from '../nexus/doctor-contract.ts';
import type { DoctorCaller } from '../temporal/doctor-caller.ts';
import type { DoctorRelay } from '../temporal/doctor-relay.ts';
import type { DoctorTemporal } from '../temporal/doctor-temporal.ts';
import type { Deployment } from './deployment.ts';
import { type Finding, skip } from './finding.ts';
import { type CallSeen, callFindings, cannotCall, isSettled } from './operation-hops.ts';
import type { WalkContext } from './walk-context.ts';
import type { CallingSide } from './walk-temporal.ts';
import { isWayBackSettled, relayElsewhere, type WayBackSeen, wayBackFinding } from './way-back-hop.ts';

/** How often a server is asked for what has changed. */
const ASK_AGAIN_MS = 150;

interface OperationWalk {
  readonly temporal: DoctorTemporal;
  readonly calling: CallingSide;
  readonly check: CheckResult;
  readonly deployment: Deployment;
}

/** The hops of a real operation, from a workflow to the handler and back. Ends the workflows that it has started. */
export async function* walkOperation(walk: OperationWalk, context: WalkContext): AsyncGenerator<Finding> {
  const { temporal, calling, check } = walk;
  const { signal } = context;
  const relays = check.temporal !== undefined && check.temporal.problem === undefined;
  const relayTaskQueue = relays ? `${DOCTOR_QUEUE_PREFIX}relay-${crypto.randomUUID()}` : undefined;
  let caller: DoctorCaller;
  try {
    const call = { endpoint: calling.endpoint, ...(relayTaskQueue !== undefined && { relayTaskQueue }) };
    caller = await temporal.startCaller(call, signal);
  } catch (error) {
    signal.throwIfAborted();
    yield cannotCall(error, calling);
    return;
  }
  let relay: DoctorRelay | undefined;
  try {
    const seen = await waitForCall(caller, walk, relays, context);
    yield* callFindings(seen, walk.deployment);
    if (check.temporal === undefined) {
      yield skip('allowed-addresses', 'the handler has no Temporal: nothing of it is called back');
      yield skip('way-back', 'the handler has no Temporal: nothing of it is called back');
    }
    if (seen.operation.state !== 'started' || relayTaskQueue === undefined) return;
    relay = await temporal.findRelay(seen.operation.token, signal);
    if (relay === undefined) {
      yield relayElsewhere(check, calling);
      return;
    }
    await relay.complete(relayTaskQueue, signal);
    yield wayBackFinding(await waitForCompletion(caller, relay, calling, context));
  } finally {
    await cleanUp(temporal, caller, relay);
  }
}

async function waitForCall(
  caller: DoctorCaller,
  { calling, check }: OperationWalk,
  relays: boolean,
  { deps, signal, timeoutMs }: WalkContext,
): Promise<CallSeen> {
  const began = deps.now();
  for (;;) {
    const operation = await caller.operation(signal);
    const waitedMs = deps.now() - began;
    if (isSettled(operation) || waitedMs >= timeoutMs) {
      const { temporal } = check;
      return {
        operation,
        waitedMs,
        relays,
        endpoint: calling.endpoint,
        caller: calling,
        handler: temporal && { address: temporal.address, version: temporal.serverVersion },
      };
    }
    await deps.wait(ASK_AGAIN_MS, signal);
  }
}

async function waitForCompletion(
  caller: DoctorCaller,
  relay: DoctorRelay,
  calling: CallingSide,
  { deps, signal, timeoutMs }: WalkContext,
): Promise<WayBackSeen> {
  const began = deps.now();
  for (;;) {
    const callback = await relay.callback(signal);
    const operation = await caller.operation(signal);
    const waitedMs = deps.now() - began;
    if (isWayBackSettled({ operation, callback }) || waitedMs >= timeoutMs) {
      return { operation, callback, waitedMs, caller: calling };
    }
    await deps.wait(ASK_AGAIN_MS, signal);
  }
}

/** After Ctrl-C too, so that nothing waits for the walk's own signal. What cannot be ended here ends by its timeout. */
async function cleanUp(temporal: DoctorTemporal, caller: DoctorCaller, known: DoctorRelay | undefined): Promise<void> {
  const signal = new AbortController().signal;
  try {
    const operation = known === undefined ? await caller.operation(signal) : undefined;
    await caller.end();
    const relay = operation?.state === 'started' ? await temporal.findRelay(operation.token, signal) : known;
    await relay?.end();
  } catch {
    // The server is gone, or does not let this be done: what was found out counts.
  }
}
