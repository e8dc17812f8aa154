import type { NexusInvocation } from '../handler/invocation.ts';
import { HEADER } from '../nexus/headers.ts';
import type { OperationRecord } from './record.ts';

/** The draft of a record that an invocation carries: what the invocation's own request says is left out of it. */
export function draftOf({ start, ...record }: OperationRecord): object {
  const { service, operation } = start;
  return { ...record, start: { service, operation } };
}

/** The record that an invocation carries the draft of. */
export function recordOf({ promotion, request }: Pick<NexusInvocation, 'promotion' | 'request'>): OperationRecord {
  const draft = promotion?.draft as OperationRecord;
  const { [HEADER.requestTimeout]: _, ...headers } = request.headers;
  return { ...draft, start: { ...draft.start, headers, query: request.query, body: request.body } };
}
