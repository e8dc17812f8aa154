import { setTimeout as wait } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { LambdaContext } from '../handler/invocation.ts';
import { consoleLoggerOptions, createConsoleLogger, type Logger } from '../handler/logger.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { gateVerdict } from '../router/contract.ts';
import { checkEndpointSpec } from '../router/endpoint-spec.ts';
import type { Endpoint, EndpointRegistry } from '../router/ports.ts';
import { untilUncontended } from '../router/until-uncontended.ts';
import type { EntryProperties, GateProperties } from './contract.ts';
import { createContractReader, type ReadContract } from './contract-reader.ts';
import { checkNames, declaredEntry } from './declared-entry.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';
import { TableNotFoundError } from './endpoint-errors.ts';
import { type Claimant, foreignOwner, ownerOf, stackWithoutUuid } from './entry-owner.ts';
import { functionName } from './invoke-outcome.ts';
import { lambdaInvokeFunction } from './lambda-invoker.ts';
import { claimantOf, type RegistrationEvent, versionStep } from './registration-event.ts';
import { failureReason } from './registration-failure.ts';
import { parseProperties, physicalIdOf, type Subject, subjectOf } from './registration-properties.ts';

/** No more than that: CloudFormation takes 4 KB, and a contract may be larger. */
export interface RegistrationAnswer {
  readonly PhysicalResourceId: string;
}

export interface RegistrationDeps {
  readonly registry: (tableName: string) => EndpointRegistry;
  readonly readContract: ReadContract;
  readonly log: Logger;
}

export type RegistrationHandler = (
  event: RegistrationEvent,
  context: Pick<LambdaContext, 'getRemainingTimeInMillis'>,
) => Promise<RegistrationAnswer>;

/** What is kept of the function's time for a write and the answer: one that Lambda ends fails without a reason. */
const RESERVE_MS = 5_000;

/**
 * Makes the handler of the two custom resources of an endpoint, for the provider framework of the CDK.
 *
 * The *gate* asks a new version of a handler for its operations before the alias moves to it, and fails the deploy where
 * callers would lose some. The *entry* writes what the registry holds of the endpoint, under the same condition, and
 * removes it when its resource is deleted. Neither stands in the way of a rollback, even where the version before does
 * not answer any more. An entry is its resource's own: one of another stack, of another resource or
 * of a person is neither changed nor removed.
 *
 * Every request may come twice, since an answer may be lost. A Create whose answer was lost for good leaves its entry
 * behind (the framework does not pass on the Delete that follows), and the next Create of the same resource takes it up.
 *
 * It rejects, with the reason that CloudFormation shows, where something is to be changed before the deploy can go on.
 */
export function createRegistration({ registry: registryOf, readContract, log }: RegistrationDeps): RegistrationHandler {
  async function createOrUpdate(event: RegistrationEvent, signal: AbortSignal): Promise<string> {
    const properties = parseProperties(event.ResourceProperties);
    if (properties.kind === 'gate') await passGate(properties, event, signal);
    else await writeEntry(properties, event, signal);
    const id = physicalIdOf(properties);
    await removeAbandoned(id, event, signal);
    return id;
  }

  async function passGate(properties: GateProperties, event: RegistrationEvent, signal: AbortSignal): Promise<void> {
    const candidate = await readCandidate(properties, event, signal);
    if (candidate === undefined) return;
    const stored = await registryOf(properties.tableName).get(properties.endpoint, signal);
    // Of its own logical ID the entry knows nothing.
    check(properties, { candidate, stored, claimant: { stack: stackWithoutUuid(event.StackId) } });
  }

  /**
   * `undefined` where a version that served already does not answer any more: a rollback leads to it, and what broke it may
   * be why it is wanted back.
   */
  async function readCandidate(
    { versionArn }: GateProperties | EntryProperties,
    event: RegistrationEvent,
    signal: AbortSignal,
  ): Promise<readonly ServiceContract[] | undefined> {
    try {
      return await readContract(versionArn, signal);
    } catch (error) {
      if (versionStep(event) === 'newer') throw error;
      log.warn('a version that served already does not say its operations; the deploy goes on with it', {
        versionArn,
        error,
      });
      return undefined;
    }
  }

  async function writeEntry(properties: EntryProperties, event: RegistrationEvent, signal: AbortSignal): Promise<void> {
    const { OldResourceProperties: before } = event;
    const claimant = claimantOf(event);
    const owner = ownerOf(claimant);
    // What is wrong with the properties is said before a function runs for it.
    checkEndpointSpec(declaredEntry(properties, { owner, candidate: [], stored: undefined, before }));
    const step = versionStep(event);
    const read = await readCandidate(properties, event, signal);
    const registry = registryOf(properties.tableName);
    await untilUncontended(async () => {
      const stored = await registry.get(properties.endpoint, signal);
      const candidate = read ?? (step === 'older' ? stored?.previousServices : undefined) ?? stored?.services ?? [];
      check(properties, { candidate, stored, claimant });
      checkNames(properties, candidate);
      const spec = declaredEntry(properties, { owner, candidate, stored, before, goesBack: step === 'older' });
      signal.throwIfAborted();
      await (stored === undefined ? registry.create(spec) : registry.update(spec, stored.version));
    });
  }

  /** Fails where the entry is another's, or its callers would lose operations. */
  function check(properties: GateProperties | EntryProperties, { candidate, stored, claimant }: Found): void {
    const { endpoint, versionArn } = properties;
    const foreign = stored && foreignOwner(stored.owner, claimant, properties);
    if (foreign !== undefined) throw new Error(`endpoint "${endpoint}" ${foreign}`);
    const allowBreakingChange = properties.allowBreakingChange === 'true';
    const verdict = gateVerdict({ candidate, entry: stored, allowBreakingChange });
    if (verdict.passes) return;
    const { message, removed } = verdict;
    log.warn('a handler may not take over its endpoint', { endpoint, versionArn, removed });
    throw new Error(`endpoint "${endpoint}" cannot be served by ${functionName(versionArn)}: ${message}`);
  }

  async function remove(event: RegistrationEvent, signal: AbortSignal): Promise<string> {
    const { PhysicalResourceId: id = '', ResourceProperties: properties } = event;
    const subject = subjectOf(properties);
    const isOfThisId = subject !== undefined && physicalIdOf(subject) === id;
    if (isOfThisId && subject.kind === 'entry') await removeEntry(subject, event, signal);
    if (!isOfThisId) log.warn('nothing is removed: these are not the properties of this ID', { id, properties });
    return id;
  }

  /** Removes what this resource wrote. An entry that is not there, or not its own, is left alone. */
  async function removeEntry(entry: Subject, event: RegistrationEvent, signal: AbortSignal): Promise<void> {
    const leave = (why: string) => log.warn('no entry is removed', { why, ...entry });
    const registry = registryOf(entry.tableName);
    try {
      await untilUncontended(async () => {
        const stored = await registry.get(entry.endpoint, signal);
        if (stored === undefined) return leave('it is gone already');
        if (stored.owner !== ownerOf(claimantOf(event))) return leave(`it belongs to ${stored.owner ?? 'no stack'}`);
        signal.throwIfAborted();
        await registry.delete(entry.endpoint, stored.version);
      });
    } catch (error) {
      if (!(error instanceof TableNotFoundError)) throw error;
      leave('its table is gone');
    }
  }

  /**
   * An update to another name that failed may have written that name's entry all the same, when its answer was lost. The
   * update that takes it back is the one place to see that: CloudFormation never heard of a resource to delete.
   */
  async function removeAbandoned(id: string, event: RegistrationEvent, signal: AbortSignal): Promise<void> {
    const failed = subjectOf(event.OldResourceProperties);
    if (failed?.kind !== 'entry' || [id, event.PhysicalResourceId].includes(physicalIdOf(failed))) return;
    try {
      await removeEntry(failed, event, signal);
    } catch (error) {
      // A rollback must not fail by it: the table that was given may be the very reason why the update failed.
      log.warn('what a failed update may have written could not be looked at', { ...failed, error });
    }
  }

  return async (event, context) => {
    const late = new AbortController();
    const timeMs = Math.max(0, context.getRemainingTimeInMillis() - RESERVE_MS);
    const timer = setTimeout(
      () => late.abort(new Error(`the ${timeMs} ms for this step of the deploy are over`)),
      timeMs,
    );
    try {
      const answer = event.RequestType === 'Delete' ? remove : createOrUpdate;
      return { PhysicalResourceId: await answer(event, late.signal) };
    } catch (error) {
      const { RequestType: request, LogicalResourceId: logicalId, ResourceProperties: properties } = event;
      log.error('the registration failed', { request, logicalId, properties, error });
      throw new Error(failureReason(error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}

interface Found {
  readonly candidate: readonly ServiceContract[];
  readonly stored: Endpoint | undefined;
  readonly claimant: Claimant;
}

/** The handler as it is deployed. */
export function registrationOfEnvironment(): RegistrationHandler {
  // Three attempts fit into what is kept of the function's time.
  const client = new DynamoDBClient({
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
  });
  return createRegistration({
    registry: (tableName) => createDynamoEndpointRegistry({ client, tableName, clock: Date }),
    readContract: createContractReader({
      invokeFunction: lambdaInvokeFunction(),
      wait: (ms, signal) => wait(ms, undefined, { signal }),
    }),
    log: createConsoleLogger(consoleLoggerOptions(process.env)),
  });
}
