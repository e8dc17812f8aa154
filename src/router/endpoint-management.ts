import { HandlerError, type HandlerErrorType } from 'nexus-rpc';
import type { NexusHttpRequest } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import {
  describeEndpoint,
  type EndpointDescription,
  type EndpointState,
  type EndpointSummary,
  summarizeEndpoint,
} from './endpoint-description.ts';
import { parseEndpointRequest, parseVersionQuery } from './endpoint-request.ts';
import { createEndpointWrites, unknownEndpoint, type Written } from './endpoint-writes.ts';
import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from './errors.ts';
import type { ManagementPart } from './management.ts';
import type { Clock, Endpoint, EndpointRegistry } from './ports.ts';

export interface EndpointManagementDeps {
  readonly registry: EndpointRegistry;
  readonly clock: Clock;
  /** What is known of an endpoint besides its entry. */
  readonly stateOf?: (endpoint: Endpoint) => Promise<EndpointState>;
}

/** What a change answers with. */
export type ChangedEndpoint = EndpointDescription & {
  /** What whoever changed it should know, such as what only a deploy changes. */
  readonly notes: readonly string[];
};

/**
 * What engineers see of endpoints, and change of them without a deploy. Whatever is set at run time keeps the principal
 * that set it, and why.
 *
 * | | |
 * |---|---|
 * | `GET /nexus/manage/endpoints` | `{"endpoints":[…]}`, by name |
 * | `POST /nexus/manage/endpoints` | creates one: `{"name","target":{"namespace","taskQueue"},"description"?,"callers"?}` |
 * | `GET /nexus/manage/endpoints/{name}` | the endpoint, with what is declared, overridden and in effect |
 * | `PATCH /nexus/manage/endpoints/{name}` | `{"settings"?: {name: number or null},"reason"?,"expiresInMs"?,"description"?,"target"?,"callers"?,"version"?}`; with a value for a setting, `reason` is needed |
 * | `DELETE /nexus/manage/endpoints/{name}?version=` | removes it, with what was set at run time |
 * | `POST /nexus/manage/endpoints/{name}/pause` | lets nothing through to its handler: `{"reason","expiresInMs"?,"version"?}` |
 * | `POST /nexus/manage/endpoints/{name}/resume` | ends that: `{"version"?}` |
 *
 * Each change answers with the endpoint as it is then, and `notes`. 404: there is no such endpoint. 409: its version is
 * another one, its name is taken, or it belongs to a stack, which alone changes what is declared.
 */
export interface EndpointManagement extends ManagementPart {
  readonly name: 'endpoints';
}

const KNOWN_PATHS =
  'GET and POST /nexus/manage/endpoints, GET, PATCH and DELETE …/{name}, POST …/{name}/pause and …/{name}/resume';

export function createEndpointManagement(deps: EndpointManagementDeps): EndpointManagement {
  const { registry, clock, stateOf = async () => ({}) } = deps;
  const writes = createEndpointWrites({ registry, clock });

  async function list(): Promise<{ readonly endpoints: readonly EndpointSummary[] }> {
    const now = clock.now();
    return { endpoints: (await registry.list()).map((endpoint) => summarizeEndpoint(endpoint, now)) };
  }

  async function get(name: string): Promise<EndpointDescription> {
    const endpoint = await registry.get(name);
    if (endpoint === undefined) throw await unknownEndpoint(registry, name);
    return describeEndpoint(endpoint, await stateOf(endpoint), clock.now());
  }

  function changed({ endpoint, notes }: Written): ChangedEndpoint {
    return { ...describeEndpoint(endpoint, {}, clock.now()), notes };
  }

  async function respond(request: NexusHttpRequest, path: string, author: string): Promise<unknown> {
    const [name = '', ...actions] = path === '' ? [] : path.split('/');
    const what = [request.method, ...(name === '' ? [] : ['{name}']), ...actions].join(' ');
    switch (what) {
      case 'GET':
        return list();
      case 'POST':
        return changed(
          await writes.create(parseEndpointRequest(request, ['name', 'target', 'description', 'callers'])),
        );
      case 'GET {name}':
        return get(name);
      case 'PATCH {name}':
        return changed(await writes.update(name, parseEndpointRequest(request, UPDATABLE), author));
      case 'DELETE {name}':
        await writes.remove(name, parseVersionQuery(request.query));
        return { deleted: name };
      case 'POST {name} pause':
        return changed(
          await writes.pause(name, parseEndpointRequest(request, ['reason', 'expiresInMs', 'version']), author),
        );
      case 'POST {name} resume':
        return changed(await writes.resume(name, parseEndpointRequest(request, ['version'])));
      default:
        throw refusal('NOT_FOUND', `there is no ${request.method} at ${quote(path)}; there is ${KNOWN_PATHS}`);
    }
  }

  /** What the registry refuses, for whoever asked. */
  async function refused(error: unknown): Promise<unknown> {
    if (error instanceof EndpointNotFoundError) return unknownEndpoint(registry, error.endpoint);
    if (error instanceof EndpointExistsError || error instanceof EndpointVersionError) {
      return refusal('CONFLICT', error.message);
    }
    return error;
  }

  return {
    name: 'endpoints',
    async respond(request, path, { principal }) {
      try {
        return await respond(request, path, principal);
      } catch (error) {
        throw await refused(error);
      }
    },
  };
}

const UPDATABLE = ['settings', 'reason', 'expiresInMs', 'description', 'target', 'callers', 'version'] as const;

function refusal(type: HandlerErrorType, message: string): HandlerError {
  return new HandlerError(type, message, { stackTrace: '' });
}
