import { HandlerError } from 'nexus-rpc';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import type { Caller } from './caller.ts';
import { failureResponse } from './failure-response.ts';
import { parseManagementPath } from './management-path.ts';

/** What engineers see and mend a deployment with: JSON over HTTP, below `/nexus/manage`. */
export interface Management {
  /**
   * The answer to a request of these; `undefined` for every other path. Whatever is wrong is answered as a Nexus failure,
   * whose `message` says it.
   */
  answer(request: NexusHttpRequest, caller: Pick<Caller, 'principal'>): Promise<NexusHttpResponse | undefined>;
}

/** The management of one kind of thing. */
export interface ManagementPart {
  /** What the first segment below `/nexus/manage/` is. */
  readonly name: string;
  /**
   * What to answer, as JSON. Fails with a HandlerError for whoever asked.
   *
   * @param path what follows the name, without the slash between them
   */
  respond(request: NexusHttpRequest, path: string, caller: Pick<Caller, 'principal'>): Promise<unknown>;
}

export interface ManagementDeps {
  /** Whether somebody may see and change what belongs to all callers. */
  readonly mayManage: (principal: string) => boolean;
  readonly parts: readonly ManagementPart[];
}

/** Makes one API of its parts. */
export function createManagement({ mayManage, parts }: ManagementDeps): Management {
  async function respond(request: NexusHttpRequest, name: string, path: string, principal: string): Promise<unknown> {
    if (!mayManage(principal)) throw mayNot(principal);
    const part = parts.find((one) => one.name === name);
    if (part !== undefined) return part.respond(request, path, { principal });
    const names = parts.map((one) => `/nexus/manage/${one.name}`).join(' and ');
    throw new HandlerError('NOT_FOUND', `there is no ${quote(`/nexus/manage/${name}`)}; there is ${names}`, {
      stackTrace: '',
    });
  }

  return {
    async answer(request, { principal }) {
      const managed = parseManagementPath(request.path);
      if (managed === undefined) return undefined;
      try {
        return json(await respond(request, managed.name, managed.path, principal));
      } catch (error) {
        if (error instanceof HandlerError) return failureResponse(error.type, error.message, request);
        throw error;
      }
    },
  };
}

function mayNot(principal: string): HandlerError {
  const message = `"${principal}" may not manage operations and endpoints; whoever deploys the gateway can name it an administrator`;
  return new HandlerError('UNAUTHORIZED', message, { stackTrace: '' });
}

function json(value: unknown): NexusHttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(value)),
  };
}
