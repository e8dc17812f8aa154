import type { OperationDescription, OperationResult, OperationSummary } from '../router/operation-description.ts';
import type { HandledPage } from '../router/operation-management.ts';
import type { AskManagement, Query } from './management-client.ts';

export type OperationAction = 'cancel' | 'retry' | 'redrive';

/** How many operations there are, by state; with `next`, a part of them. */
export interface Counted {
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly next?: string;
}

/** What is asked about operations. Fails with a `ManagementCommandError`. */
export interface OperationClient {
  list(query: Query): Promise<{ readonly operations: readonly OperationSummary[]; readonly next?: string }>;
  count(query: Query): Promise<Counted>;
  describe(token: string): Promise<OperationDescription>;
  result(token: string): Promise<OperationResult>;
  act(token: string, action: OperationAction): Promise<OperationSummary>;
  actOnPage(action: 'retry' | 'redrive', query: Query): Promise<HandledPage>;
}

export function createOperationClient(ask: AskManagement): OperationClient {
  const at = (token: string) => `/operations/${encodeURIComponent(token)}`;
  return {
    list: (query) => ask('GET', '/operations', { query }),
    count: (query) => ask('GET', '/operations/count', { query }),
    describe: (token) => ask('GET', at(token)),
    result: (token) => ask('GET', `${at(token)}/result`),
    act: (token, action) => ask('POST', `${at(token)}/${action}`),
    actOnPage: (action, query) => ask('POST', `/operations/${action}`, { query }),
  };
}
