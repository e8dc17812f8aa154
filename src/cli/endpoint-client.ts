import type { EndpointDescription, EndpointSummary } from '../router/endpoint-description.ts';
import type { ChangedEndpoint } from '../router/endpoint-management.ts';
import type { EndpointRequest } from '../router/endpoint-request.ts';
import type { AskManagement } from './management-client.ts';

/** What is asked about endpoints. Fails with a `ManagementCommandError`. */
export interface EndpointClient {
  list(): Promise<{ readonly endpoints: readonly EndpointSummary[] }>;
  get(name: string): Promise<EndpointDescription>;
  create(request: EndpointRequest): Promise<ChangedEndpoint>;
  update(name: string, request: EndpointRequest): Promise<ChangedEndpoint>;
  pause(name: string, request: EndpointRequest): Promise<ChangedEndpoint>;
  resume(name: string, request: EndpointRequest): Promise<ChangedEndpoint>;
  delete(name: string, version: number | undefined): Promise<{ readonly deleted: string }>;
}

export function createEndpointClient(ask: AskManagement): EndpointClient {
  const at = (name: string) => `/endpoints/${encodeURIComponent(name)}`;
  return {
    list: () => ask('GET', '/endpoints'),
    get: (name) => ask('GET', at(name)),
    create: (body) => ask('POST', '/endpoints', { body }),
    update: (name, body) => ask('PATCH', at(name), { body }),
    pause: (name, body) => ask('POST', `${at(name)}/pause`, { body }),
    resume: (name, body) => ask('POST', `${at(name)}/resume`, { body }),
    delete: (name, version) => ask('DELETE', at(name), { query: { version } }),
  };
}
