import { shellWord } from '../doctor/shell-word.ts';
import type { ProtoFailure } from '../nexus/proto-failure.ts';
import type {
  DescribedFailure,
  OperationDescription,
  OperationResult,
  OperationSummary,
} from '../router/operation-description.ts';
import { formatAge } from './age.ts';
import { formatDistance, formatFields, formatMoment, formatTable, oneLine, type Shown } from './output.ts';

// What the operation commands show on a terminal. Names and messages are of somebody else.

type Field = readonly [name: string, text: string];

/** Of a direct start whose outcome was kept. */
const ANSWERED: Field = ['completion', 'none: its caller was answered with the outcome'];

/** A line for each, the newest first. */
export function formatOperations(operations: readonly OperationSummary[], shown: Shown): string {
  const heads = ['TOKEN', 'ENDPOINT', 'OPERATION', 'STATE', 'ATTEMPT', 'AGE', 'NEXT', 'LAST FAILURE'];
  const rows = operations.map((operation) => [
    operation.token,
    operation.endpoint,
    nameOf(operation),
    stateOf(operation),
    String(operation.attempt),
    formatAge(shown.now - Date.parse(operation.acceptedAt)),
    nextOf(operation, shown),
    oneLine(lastMessageOf(operation) ?? ''),
  ]);
  return formatTable(heads, rows, shown);
}

/** A line for each state, and their sum. */
export function formatCounts({
  counts,
  total,
}: {
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
}) {
  const lines = [...Object.entries(counts), ['total', total] as const];
  const width = Math.max(...lines.map(([, count]) => String(count).length));
  return formatFields(lines.map(([state, count]) => [state, String(count).padStart(width)]));
}

/** All that is known of one. What is to be typed next stands at the end. */
export function formatDescription(operation: OperationDescription, shown: Shown): string {
  const { token, endpoint, namespace, taskQueue, principal, requestId, input, policy, links } = operation;
  const when = (time: string) => formatMoment(time, shown);
  const fields: readonly (Field | undefined)[] = [
    ['operation', `${nameOf(operation)} of endpoint ${oneLine(endpoint)}`],
    ['token', token],
    ['state', longStateOf(operation)],
    operation.nextAttemptAt === undefined
      ? undefined
      : ['next attempt', `attempt ${operation.attempt}, ${when(operation.nextAttemptAt)}`],
    operation.blockedReason === undefined ? undefined : ['blocked', oneLine(operation.blockedReason)],
    runningField(operation, shown),
    ...failureFields(operation.lastFailure, operation.functionArn, shown),
    operation.crashes === 0
      ? undefined
      : ['crashes', `${operation.crashes} of ${policy.poisonAttempts} that dead-letter it`],
    ...outcomeFields(operation, shown),
    ...(operation.answeredAt === undefined ? completionFields(operation, shown) : [ANSWERED]),
    cancelField(operation, shown),
    operation.innerToken === undefined ? undefined : ['inner token', oneLine(operation.innerToken)],
    ['accepted', `${when(operation.acceptedAt)} from ${oneLine(principal)}`],
    operation.promotedAt === undefined
      ? undefined
      : ['promoted', `${when(operation.promotedAt)}: its handler took longer than its caller waits`],
    operation.expiresAt === undefined ? undefined : ['times out', when(operation.expiresAt)],
    ['forgotten', when(operation.forgottenAt)],
    ['input', `${input.bytes} bytes${input.contentType === undefined ? '' : ` of ${oneLine(input.contentType)}`}`],
    ['request id', oneLine(requestId)],
    ['target', `task queue ${oneLine(taskQueue)}, namespace ${oneLine(namespace)}`],
    operation.functionArn === undefined ? undefined : ['function', oneLine(operation.functionArn)],
    ['retries', retriesOf(policy)],
    ...links.map(({ url, type }): Field => ['link', `${oneLine(url)} (${oneLine(type)})`]),
    nextCommand(operation),
  ];
  return formatFields(fields.filter((field) => field !== undefined));
}

/** What an operation came to: the result alone, or a sentence. */
export function formatResult(result: OperationResult, shown: Shown): string {
  switch (result.state) {
    case 'succeeded': {
      const { encoding, value, base64 } = result.result;
      if (value !== undefined) return JSON.stringify(value, undefined, 2);
      return base64 === undefined ? 'nothing' : `${base64}\n(base64 of a result in encoding ${oneLine(encoding)})`;
    }
    case 'failed':
    case 'canceled':
      return [
        `${result.state} ${formatMoment(result.at, shown)}`,
        messagesOf(result.failure).join('\ncaused by: '),
      ].join('\n');
    case 'handed-over':
      return 'no result here: the handler answered with a token of its own, and the operation goes on where that was issued';
    default:
      return `no result yet: it is ${result.state}`;
  }
}

function nameOf({ service, operation }: OperationSummary): string {
  return oneLine(`${service}/${operation}`);
}

/** In a table, an operation that ended is what it ended as; its completion only where somebody has to look at it. */
function stateOf({ state, outcome, completion }: OperationSummary): string {
  if (outcome === undefined) return state;
  return completion === undefined || completion.state === 'delivered'
    ? outcome.state
    : `${outcome.state}, completion ${completion.state}`;
}

function longStateOf({ state, outcome, completion, answeredAt }: OperationDescription): string {
  if (state === 'dead-lettered') return 'dead-lettered: it crashed too often, and waits for somebody';
  if (state === 'handed-over') return 'handed-over: the handler answered with a token of its own';
  if (outcome === undefined) return state;
  const isPolled = completion === undefined && answeredAt === undefined;
  return isPolled ? `ended: ${outcome.state}; its caller polls` : `ended: ${outcome.state}`;
}

function nextOf({ nextAttemptAt, completion }: OperationSummary, { now }: Shown): string {
  const next = nextAttemptAt ?? completion?.nextAttemptAt;
  return next === undefined ? '' : formatDistance(Date.parse(next), now);
}

/** Of what stands in its way now, if anything does. */
function lastMessageOf({ lastFailure, outcome, completion }: OperationSummary): string | undefined {
  if (completion !== undefined && completion.state !== 'delivered') return completion.lastFailure ?? outcome?.message;
  return outcome === undefined ? lastFailure?.message : outcome.message;
}

function runningField({ claim }: OperationDescription, shown: Shown): Field | undefined {
  if (claim === undefined) return undefined;
  const { attempt, leaseUntil, invocation, logStream } = claim;
  const log = logStream === undefined ? '' : `, log stream ${oneLine(logStream)}`;
  const where = invocation === '' ? '' : `; invocation ${oneLine(invocation)}${log}`;
  return ['runs', `attempt ${attempt}, until ${formatMoment(leaseUntil, shown)}${where}`];
}

function failureFields(
  failure: DescribedFailure | undefined,
  functionArn: string | undefined,
  shown: Shown,
): readonly Field[] {
  if (failure === undefined) return [];
  const { at, attempt, message, crash } = failure;
  const last: Field = ['last failure', `attempt ${attempt}, ${formatMoment(at, shown)}: ${oneLine(message)}`];
  if (crash === undefined) return [last];
  const { invocation, logStream } = crash;
  if (invocation === '' && functionArn !== undefined) return [last, ['its log', 'that of the function, at that time']];
  if (functionArn === undefined && logStream === undefined) {
    return [last, ['its log', 'on the terminal of nexus-lambda dev, at that time']];
  }
  const stream = logStream === undefined ? '' : `, stream ${oneLine(logStream)}`;
  const where: Field = ['its log', `invocation ${oneLine(invocation)}${stream}`];
  // The endpoint may be gone, and with it what says which function it was.
  return functionArn === undefined ? [last, where] : [last, where, ['', logCommand(crash, functionArn)]];
}

function logCommand({ invocation, logStream }: NonNullable<DescribedFailure['crash']>, functionArn: string): string {
  const name = shellWord(functionArn);
  return [
    `aws logs filter-log-events --log-group-name "$(aws lambda get-function-configuration --function-name ${name} --query LoggingConfig.LogGroup --output text)"`,
    ...(logStream === undefined ? [] : [`--log-stream-names ${shellWord(oneLine(logStream))}`]),
    `--filter-pattern ${shellWord(`"${oneLine(invocation)}"`)}`,
  ].join(' ');
}

function outcomeFields({ outcome }: OperationDescription, shown: Shown): readonly Field[] {
  if (outcome === undefined) return [];
  const { state, at, message } = outcome;
  return [['outcome', `${state} ${formatMoment(at, shown)}${message === undefined ? '' : `: ${oneLine(message)}`}`]];
}

function completionFields(
  { completion, callback }: OperationDescription,
  shown: Shown,
): readonly (Field | undefined)[] {
  if (callback === undefined) return [['callback', 'none: its caller polls']];
  const to: Field = ['callback', oneLine(callback.origin)];
  if (completion === undefined) return [to];
  const { state, attempts, nextAttemptAt, lastFailure } = completion;
  const next = nextAttemptAt === undefined ? '' : `, the next ${formatMoment(nextAttemptAt, shown)}`;
  return [
    ['completion', `${state}, ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} made${next}`],
    lastFailure === undefined ? undefined : ['', oneLine(lastFailure)],
    to,
  ];
}

function cancelField({ cancel }: OperationDescription, shown: Shown): Field | undefined {
  if (cancel === undefined) return undefined;
  const passedOn = { pending: ', not passed on yet', done: ', passed on to where it goes on' } as const;
  return [
    'cancel',
    `asked for ${formatMoment(cancel.requestedAt, shown)}${cancel.forward ? passedOn[cancel.forward] : ''}`,
  ];
}

function retriesOf({ initialMs, maxMs, attempts, poisonAttempts }: OperationDescription['policy']): string {
  const most = attempts === undefined ? 'as long as it has time' : `${attempts} attempts`;
  return `after ${spanOf(initialMs)}, doubling to ${spanOf(maxMs)}, ${most}; dead-lettered after ${poisonAttempts} crashes`;
}

function spanOf(ms: number): string {
  return ms < 1_000 ? `${ms}ms` : formatAge(ms);
}

/** What somebody who looks at it would do. */
function nextCommand({ token, state, completion }: OperationDescription): Field | undefined {
  const command = (action: string): Field => ['type', `npx nexus-lambda operation ${action} ${token}`];
  if (state === 'queued') return command('retry');
  if (state === 'dead-lettered') return command('redrive');
  if (state !== 'ended') return undefined;
  return completion === undefined || completion.state === 'delivered' ? command('result') : command('redrive');
}

/** The messages of a failure and its causes, from the outermost on. */
function messagesOf({ message, encodedAttributes, cause }: ProtoFailure): string[] {
  const said = encodedAttributes === undefined ? oneLine(message ?? '') : 'the message is encrypted';
  return [...(said === '' ? [] : [said]), ...(cause === undefined ? [] : messagesOf(cause))];
}
