import { HandlerError } from 'nexus-rpc';
import { quote } from '../nexus/quote.ts';
import { pauseInEffect } from './effective-settings.ts';
import { servedAs, servingEndpoint, specOf, withPause, withSettings } from './endpoint-changes.ts';
import { notesOnPause, notesOnSettings } from './endpoint-notes.ts';
import { checkOverride, fullVersion } from './endpoint-override.ts';
import { bad, type EndpointRequest } from './endpoint-request.ts';
import { checkEndpointSpec } from './endpoint-spec.ts';
import { EndpointVersionError } from './errors.ts';
import type { OverrideMark, OverrideSpec } from './override.ts';
import type { Clock, Endpoint, EndpointRegistry, EndpointSpec } from './ports.ts';
import { untilUncontended } from './until-uncontended.ts';

export interface EndpointWritesDeps {
  readonly registry: EndpointRegistry;
  readonly clock: Clock;
}

/** An endpoint as a change left it, and what to say of that. */
export interface Written {
  readonly endpoint: Endpoint;
  readonly notes: readonly string[];
}

/** What people change of endpoints. Fails with a HandlerError, or with an error of the registry. */
export interface EndpointWrites {
  create(given: Pick<EndpointRequest, 'name' | 'target' | 'description' | 'callers'>): Promise<Written>;
  /** Settings go into the override; description, target and callers into the entry, where no deploy wrote it. */
  update(name: string, given: EndpointRequest, author: string): Promise<Written>;
  pause(name: string, given: EndpointRequest, author: string): Promise<Written>;
  resume(name: string, given: Pick<EndpointRequest, 'version'>): Promise<Written>;
  /** @param version the one that was read, where no other may be removed */
  remove(name: string, version: number | undefined): Promise<void>;
}

export function createEndpointWrites({ registry, clock }: EndpointWritesDeps): EndpointWrites {
  async function find(name: string, version: number | undefined): Promise<Endpoint> {
    const endpoint = await registry.get(name);
    // No errors of the registry, upon which it would be read and tried again.
    if (endpoint === undefined) throw await unknownEndpoint(registry, name);
    const stored = fullVersion(endpoint);
    if (version !== undefined && version !== stored) {
      throw conflict(new EndpointVersionError(name, version, stored).message);
    }
    return endpoint;
  }

  /** A spec as its target is served, checked. */
  async function served(own: Parameters<typeof servedAs>[0]): Promise<{ spec: EndpointSpec; notes: string[] }> {
    const serving = servingEndpoint(await registry.list(), own);
    const spec = servedAs(own, serving);
    checked(() => checkEndpointSpec(spec));
    const { namespace, taskQueue } = own.target;
    const note =
      serving === undefined
        ? `nothing is deployed for task queue ${quote(taskQueue)} of namespace ${quote(namespace)}: requests are refused; ` +
          'deploy a handler for it, and then set this target again'
        : `requests go where those of endpoint ${quote(serving.name)} go`;
    return { spec, notes: [note] };
  }

  async function declare(
    read: Endpoint,
    { description, target, callers }: Pick<EndpointRequest, 'description' | 'target' | 'callers'>,
  ): Promise<Written> {
    if (description === undefined && target === undefined && callers === undefined)
      return { endpoint: read, notes: [] };
    if (read.owner !== undefined) {
      throw conflict(
        `endpoint ${quote(read.name)} belongs to ${ownerText(read.owner)}: change that there, and deploy; at run time its ` +
          'settings can be changed, and it can be paused',
      );
    }
    const { description: before, ...others } = specOf(read);
    const text = description === undefined ? before : description;
    const own = {
      ...others,
      target: { ...read.target, ...target },
      ...(text && { description: text }),
      ...(callers && { callers }),
    };
    const { spec, notes } = target === undefined ? { spec: own, notes: [] } : await served(own);
    checked(() => checkEndpointSpec(spec));
    const { override, circuit } = read;
    const updated = await registry.update(spec, read.version);
    return { endpoint: { ...updated, ...(override && { override }), ...(circuit && { circuit }) }, notes };
  }

  function override(
    name: string,
    version: number | undefined,
    next: (read: Endpoint) => OverrideSpec,
    notesFor: (read: Endpoint) => readonly string[] = () => [],
  ): Promise<Written> {
    return untilUncontended(async () => {
      const read = await find(name, version);
      return { endpoint: await registry.override(read, next(read)), notes: notesFor(read) };
    });
  }

  return {
    async create({ name, target: { namespace, taskQueue } = {}, description, callers }) {
      if (name === undefined) throw bad('name the endpoint: {"name": …}');
      if (namespace === undefined || taskQueue === undefined) {
        throw bad('say where its requests go: {"target": {"namespace": …, "taskQueue": …}}');
      }
      const own = { name, target: { namespace, taskQueue }, ...(description && { description }) };
      const { spec, notes } = await served({ ...own, ...(callers && { callers }) });
      return { endpoint: await registry.create(spec), notes };
    },

    async update(name, given, author) {
      const { settings: some, version, reason, expiresInMs, ...declared } = given;
      const settings = some !== null && Object.keys(some ?? {}).length === 0 ? undefined : some;
      const isSet = Object.values(settings ?? {}).some((value) => value !== null);
      if (isSet && reason === undefined) {
        throw bad('say why the settings are changed, for whoever looks next: {"reason": …}');
      }
      if (!isSet && expiresInMs !== undefined) throw bad('expiresInMs is for settings; give it with a value for one');
      if (settings === undefined && Object.values(declared).every((member) => member === undefined)) {
        throw bad('nothing is to be changed; give settings, description, target or callers');
      }
      const now = clock.now();
      const mark = markOf({ reason, expiresInMs }, author, now);
      return untilUncontended(async () => {
        const read = await find(name, version);
        const next = settings === undefined ? undefined : checked(() => withSettings(read, settings, mark, now));
        // Before anything is written.
        if (next !== undefined) checked(() => checkOverride(read, next, now));
        const { endpoint, notes } = await declare(read, declared);
        const names = Object.keys(settings ?? (next && read.override?.settings) ?? {});
        return {
          endpoint: next === undefined ? endpoint : await registry.override(endpoint, next),
          notes: [...notes, ...notesOnSettings(read, names)],
        };
      });
    },

    async pause(name, { reason, expiresInMs, version }, author) {
      if (reason === undefined)
        throw bad('say why it is paused, for its callers and whoever looks next: {"reason": …}');
      const now = clock.now();
      const mark = markOf({ reason, expiresInMs }, author, now);
      return override(
        name,
        version,
        (read) => withPause(read, mark, now),
        (read) => notesOnPause(pauseInEffect(read, now)),
      );
    },

    async resume(name, { version }) {
      const read = await find(name, version);
      const now = clock.now();
      if (pauseInEffect(read, now) === undefined) return { endpoint: read, notes: ['it was not paused'] };
      return override(name, version, (one) => withPause(one, undefined, now));
    },

    remove: (name, version) =>
      untilUncontended(async () => {
        const read = await find(name, version);
        if (read.owner !== undefined) {
          throw conflict(
            `endpoint ${quote(name)} belongs to ${ownerText(read.owner)}: take it out there, and deploy. If that stack is ` +
              `gone, delete the items of "endpoint#${name}" from the table of endpoints`,
          );
        }
        await registry.delete(name, read.version);
      }),
  };
}

/** The error for a name that no endpoint has, with those that are there. */
export async function unknownEndpoint(registry: Pick<EndpointRegistry, 'list'>, name: string): Promise<HandlerError> {
  const names = (await registry.list()).map((endpoint) => quote(endpoint.name));
  const there = names.length === 0 ? 'there are none yet' : `there is ${names.join(', ')}`;
  return new HandlerError('NOT_FOUND', `no endpoint is named ${quote(name)}; ${there}`, { stackTrace: '' });
}

function markOf(
  { reason = '', expiresInMs }: Pick<EndpointRequest, 'reason' | 'expiresInMs'>,
  author: string,
  now: number,
): OverrideMark {
  return { author, reason, at: now, ...(expiresInMs !== undefined && { expiresAt: now + expiresInMs }) };
}

/** As a deploy writes it: the ARN of its stack, and the resource. */
function ownerText(owner: string): string {
  const mark = owner.lastIndexOf('#');
  return mark === -1 ? owner : `${owner.slice(0, mark)} (resource ${owner.slice(mark + 1)})`;
}

/** Checks say with a TypeError what is wrong with what was given. */
function checked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof TypeError) throw bad(error.message);
    throw error;
  }
}

function conflict(message: string): HandlerError {
  return new HandlerError('CONFLICT', message, { stackTrace: '' });
}
