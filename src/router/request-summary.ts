import { HandlerError } from 'nexus-rpc';
import { innermostMessage } from '../nexus/innermost-message.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { typeOfStatus } from '../nexus/status.ts';
import { parseRoute } from './route.ts';

/** What one line of a log says about a request. */
export interface RequestSummary {
  /** Undefined for a path that names no endpoint. */
  readonly endpoint?: string;
  /** `service/operation`, or the path where it names none; decoded. */
  readonly operation: string;
  /** `succeeded`, `started`, `failed`, `canceled`, `cancel accepted`, or the type of a HandlerError such as `BAD_REQUEST`. */
  readonly outcome: string;
  /** What a failure says. */
  readonly message?: string;
}

/** Reads the log line of a request off its full path and its answer. */
export function summarizeRequest(path: string, response: NexusHttpResponse): RequestSummary {
  const message = response.status < 400 ? undefined : messageOf(response.body);
  return { ...placeOf(path), outcome: outcomeOf(response), ...(message === undefined ? {} : { message }) };
}

function placeOf(path: string): Pick<RequestSummary, 'endpoint' | 'operation'> {
  try {
    const route = parseRoute(path);
    const [, service, operation] = route.path.split('/');
    if (!service || !operation) return { endpoint: route.endpoint, operation: route.path };
    return { endpoint: route.endpoint, operation: `${decodeURIComponent(service)}/${decodeURIComponent(operation)}` };
  } catch (error) {
    if (error instanceof HandlerError || error instanceof URIError) return { operation: path };
    throw error;
  }
}

function outcomeOf({ status, headers }: NexusHttpResponse): string {
  switch (status) {
    case 200:
      return 'succeeded';
    case 201:
      return 'started';
    case 202:
      return 'cancel accepted';
    case 424:
      return headers['nexus-operation-state'] ?? 'failed';
    default:
      return typeOfStatus(status) ?? `status ${status}`;
  }
}

function messageOf(body: Uint8Array): string | undefined {
  try {
    return innermostMessage(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    return undefined; // no JSON: a middleware's answer; the status is all there is to say
  }
}
