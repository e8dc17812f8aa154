import type { ServiceContract } from '../nexus/message.ts';
import { parseAllowedCallbacks } from '../operations/allowed-callbacks.ts';
import type { QueueUrls } from '../operations/record.ts';
import { isSameContract } from '../router/contract.ts';
import type { Endpoint, EndpointSpec } from '../router/ports.ts';
import type { EntryProperties } from './contract.ts';
import { type GivenProperties, parseSettings } from './registration-properties.ts';

/** What an entry's new contents follow from, besides its properties. */
export interface EntrySources {
  readonly owner: string;
  /** The operations of the handler. */
  readonly candidate: readonly ServiceContract[];
  readonly stored: Endpoint | undefined;
  /** The properties that the resource had before. */
  readonly before: GivenProperties | undefined;
  /** Whether the deploy goes back to an older version. */
  readonly goesBack?: boolean;
}

/** What the registry is to hold. Fails with a TypeError where the settings are no JSON object. */
export function declaredEntry(properties: EntryProperties, sources: EntrySources): EndpointSpec {
  const { owner, candidate } = sources;
  const { endpoint: name, namespace, taskQueue, callers, functionArn } = properties;
  const description = descriptionOf(properties, sources);
  const previousServices = previousServicesOf(sources);
  return {
    name,
    ...(description !== undefined && { description }),
    target: { namespace, taskQueue },
    services: candidate,
    ...(previousServices !== undefined && { previousServices }),
    callers,
    functionArn,
    owner,
    settings: parseSettings(properties),
    ...(properties.queued !== undefined && { queued: properties.queued }),
    ...(properties.absorbFailures !== undefined && { absorbFailures: properties.absorbFailures }),
    ...(properties.promotable !== undefined && { promotable: properties.promotable }),
    ...(properties.queues !== undefined && { queues: JSON.parse(properties.queues) as QueueUrls }),
    ...(properties.allowedCallbacks !== undefined && {
      allowedCallbacks: parseAllowedCallbacks(JSON.parse(properties.allowedCallbacks)),
    }),
    ...(properties.deduplicate === 'true' && { deduplicate: true }),
  };
}

/** A deploy takes back the description that a deploy gave; one that a person gave stays until a deploy gives another. */
function descriptionOf({ description }: EntryProperties, { stored, before }: EntrySources): string | undefined {
  if (description !== undefined) return description;
  return before?.description === undefined ? stored?.description : undefined;
}

/** What a deploy that failed had is nothing to go back to: once its stack is back, it must pass the gate as any other. */
function previousServicesOf({ candidate, stored, goesBack }: EntrySources): readonly ServiceContract[] | undefined {
  if (stored === undefined) return undefined;
  if (isSameContract(candidate, stored.services)) return stored.previousServices;
  const isWayBack = goesBack && isSameContract(candidate, stored.previousServices ?? []);
  return isWayBack ? undefined : stored.services;
}

/**
 * Fails where a list of the properties names an operation that the handler does not have: a misspelt one would be delivered
 * directly, and nobody would be told.
 */
export function checkNames(
  { endpoint, queued, promotable, absorbFailures }: EntryProperties,
  candidate: readonly ServiceContract[],
): void {
  const names = candidate.flatMap(({ name, operations }) => operations.map((operation) => `${name}/${operation}`));
  const lists = { queuedOperations: queued, promotableOperations: promotable, absorbFailures };
  for (const [list, given = []] of Object.entries(lists)) {
    const unknown = given.filter((name) => !names.includes(name));
    if (unknown.length === 0) continue;
    throw new Error(
      `endpoint "${endpoint}": ${list} names ${quoted(unknown)}, which its handler does not have; ` +
        `it has ${quoted(names.slice(0, 20))}`,
    );
  }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
