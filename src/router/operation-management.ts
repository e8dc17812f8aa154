import { HandlerError } from 'nexus-rpc';
import type { NexusHttpRequest } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import type { HandWork, HandWorkResult } from '../operations/hand-work.ts';
import { parseToken } from '../operations/operation-token.ts';
import type { Operations } from '../operations/operations.ts';
import type { OperationPage, OperationStore } from '../operations/ports.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { ManagementPart } from './management.ts';
import { describeOperation, type OperationSummary, resultOf, summarizeOperation } from './operation-description.ts';
import { parseListQuery } from './operation-query.ts';
import type { Clock, Endpoint } from './ports.ts';

export interface OperationManagementDeps {
  readonly store: Pick<OperationStore, 'get' | 'list' | 'count'>;
  readonly operations: Pick<Operations, 'cancel'>;
  readonly handWork: HandWork;
  readonly clock: Clock;
  /** What is known of an endpoint; `undefined` where it is gone, or nobody can say. */
  readonly endpointOf: (name: string) => Promise<Endpoint | undefined>;
}

/**
 * What engineers see of operations that are delivered durably, and mend them with. A description has all but the input and
 * the callback's secrets.
 *
 * | | |
 * |---|---|
 * | `GET /nexus/manage/operations?endpoint=&state=&completion=&acceptedFrom=&acceptedBefore=&limit=&from=` | `{"operations":[…],"next":"…"}`, the newest first; `next` is the `from` of the next page, and a page may be short of its limit, or empty, though others follow |
 * | `GET /nexus/manage/operations/count?endpoint=&acceptedFrom=&acceptedBefore=&from=` | `{"counts":{"queued":0,…},"total":0,"next":"…"}`; with `next` these are the newest only, and it is the `from` that counts on |
 * | `GET /nexus/manage/operations/{token}` | the operation |
 * | `GET /nexus/manage/operations/{token}/result` | its state, and the result or the failure once it has ended |
 * | `POST /nexus/manage/operations/{token}/cancel` | asks its handler to cancel it; one that does not run ends at once |
 * | `POST /nexus/manage/operations/{token}/retry` | makes the next attempt now |
 * | `POST /nexus/manage/operations/{token}/redrive` | takes up what was dead-lettered, or sends a completion again |
 * | `POST /nexus/manage/operations/redrive?endpoint=&state=dead-lettered` | the same for a page of them; or `completion=dead-lettered`, or `completion=refused` |
 * | `POST /nexus/manage/operations/retry?endpoint=&limit=&from=` | makes the next attempt of a page of those that are queued now, such as once a pause is over |
 *
 * Each POST answers with the operation as it is then, and has no body. 404: there is no such operation. 409: it is in a
 * state in which nothing of the kind can be done, and its message says in which.
 */
export interface OperationManagement extends ManagementPart {
  readonly name: 'operations';
}

/** What came of redriving, or retrying, a page of operations: their tokens. */
export interface HandledPage {
  readonly done: readonly string[];
  /** Those of which nothing of the kind is to be done any more: they run, or have ended, meanwhile. */
  readonly unchanged: readonly string[];
  readonly failed: readonly { readonly token: string; readonly message: string }[];
  readonly next?: string;
}

const KNOWN_PATHS =
  'GET /nexus/manage/operations, …/count, …/{token}, …/{token}/result and ' +
  'POST …/{token}/cancel, …/{token}/retry, …/{token}/redrive, …/retry, …/redrive';

const ACTIONS = ['cancel', 'retry', 'redrive'] as const;
type Action = (typeof ACTIONS)[number];

export function createOperationManagement(deps: OperationManagementDeps): OperationManagement {
  const { store, operations, handWork, clock, endpointOf } = deps;

  async function list(query: string) {
    const { filter, ...page } = parseListQuery(query);
    const { records, next } = await store.list(filter, page);
    return { operations: records.filter(isKept).map(summarizeOperation), ...(next !== undefined && { next }) };
  }

  async function count(query: string) {
    const { filter, from } = parseListQuery(query, ['endpoint', 'acceptedFrom', 'acceptedBefore', 'from']);
    const { counts, next } = await store.count(filter, from);
    const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
    return { counts, total, ...(next !== undefined && { next }) };
  }

  async function find(token: string): Promise<OperationRecord> {
    const record = parseToken(token) === undefined ? undefined : await store.get(token);
    if (record === undefined || !isKept(record)) throw unknownToken(token);
    return record;
  }

  async function describe(token: string) {
    const record = await find(token);
    return describeOperation(record, { endpoint: await endpointOf(record.endpoint), now: clock.now() });
  }

  async function act(token: string, action: Action): Promise<OperationSummary> {
    if (action !== 'cancel') return done(token, await handWork[action](token));
    const record = await find(token);
    if (record.state === 'ended') throw conflict(token, 'has ended');
    await operations.cancel(record);
    return summarizeOperation(await find(token));
  }

  async function retryPage(query: string): Promise<HandledPage> {
    const { filter, ...page } = parseListQuery(query, ['endpoint', 'limit', 'from']);
    return handled(await store.list({ ...filter, state: 'queued' }, page), handWork.retry);
  }

  async function redrivePage(query: string): Promise<HandledPage> {
    const { filter, ...page } = parseListQuery(query, ['endpoint', 'state', 'completion', 'limit', 'from']);
    const { state, completion } = filter;
    const isRedrivable =
      state === undefined
        ? completion === 'dead-lettered' || completion === 'refused'
        : state === 'dead-lettered' && completion === undefined;
    if (!isRedrivable) {
      const what = 'state=dead-lettered, completion=dead-lettered or completion=refused';
      throw new HandlerError('BAD_REQUEST', `what to redrive? give ${what}`, { stackTrace: '' });
    }
    return handled(await store.list(filter, page), handWork.redrive);
  }

  async function handled(
    { records, next }: OperationPage,
    act: (token: string) => Promise<HandWorkResult>,
  ): Promise<HandledPage> {
    const results = await Promise.all(
      records.map(async ({ token }) => ({ token, ...(await act(token).catch(failed)) })),
    );
    const tokensOf = (...kinds: readonly string[]) =>
      results.filter(({ kind }) => kinds.includes(kind)).map(({ token }) => token);
    return {
      done: tokensOf('done'),
      unchanged: tokensOf('refused', 'unknown'),
      failed: results.flatMap((result) =>
        result.kind === 'failed' ? [{ token: result.token, message: result.message }] : [],
      ),
      ...(next !== undefined && { next }),
    };
  }

  function isKept({ retainUntil }: OperationRecord): boolean {
    return retainUntil > clock.now();
  }

  async function respond({ method, query }: NexusHttpRequest, path: string): Promise<unknown> {
    const [first = '', second, ...more] = path === '' ? [] : path.split('/');
    const what =
      more.length > 0 ? undefined : `${method} ${[first, second].filter((part) => part !== undefined).join('/')}`;
    switch (what) {
      case 'GET ':
        return list(query);
      case 'GET count':
        return count(query);
      case 'POST redrive':
        return redrivePage(query);
      case 'POST retry':
        return retryPage(query);
      case `GET ${first}`:
        return describe(first);
      case `GET ${first}/result`:
        return resultOf(await find(first));
    }
    const action = ACTIONS.find((one) => what === `POST ${first}/${one}`);
    if (action !== undefined) return act(first, action);
    throw new HandlerError('NOT_FOUND', `there is no ${method} at ${quote(path)}; there is ${KNOWN_PATHS}`, {
      stackTrace: '',
    });
  }

  return { name: 'operations', respond };
}

function done(token: string, result: HandWorkResult): OperationSummary {
  switch (result.kind) {
    case 'done':
      return summarizeOperation(result.record);
    case 'refused':
      throw conflict(token, result.why);
    case 'unknown':
      throw unknownToken(token);
  }
}

function failed(error: unknown): { readonly kind: 'failed'; readonly message: string } {
  return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
}

function conflict(token: string, why: string): HandlerError {
  return new HandlerError('CONFLICT', `operation ${token} ${why}`, { stackTrace: '' });
}

function unknownToken(token: string): HandlerError {
  const message = `there is no operation ${quote(token)}; it may have been forgotten, or the token is a handler's own`;
  return new HandlerError('NOT_FOUND', message, { stackTrace: '' });
}
