import type { ServiceContract } from '../nexus/message.ts';
import { DEPLOY } from './deployment.ts';
import { type Advice, type Finding, fail, ok } from './finding.ts';
import { handlerTemporalFinding, noTemporalCredentials } from './reach-hops.ts';
import type { ReadAnswer } from './read-answer.ts';

/**
 * Whether the endpoint's handler answers, and what it sees of Temporal. Of an answer for which credentials and route are
 * all right.
 */
export function handlerFindings(answer: Extract<ReadAnswer, { from: 'handler' | 'nexus' }>): readonly Finding[] {
  if (answer.from === 'nexus') return ofFailure(answer);
  const { services, nexusLambda } = answer.check;
  const serves = ok('handler', `nexus-lambda ${nexusLambda} serves ${operationsOf(services)}`);
  return [serves, handlerTemporalFinding(answer.check)];
}

function operationsOf(services: readonly ServiceContract[]): string {
  const names = services.map(({ name, operations }) => `${name} (${operations.join(', ')})`);
  return names.join(', ') || 'no operations';
}

interface Row {
  readonly matches: RegExp;
  readonly why: string;
  readonly type?: (functionName: string | undefined) => readonly string[];
}

/** By the words of router, dev server and handler; the first that matches counts. */
const ROWS: readonly Row[] = [
  {
    matches: /no service '/,
    why: 'The handler answers, and was built with a version of nexus-lambda that does not know this command.',
    type: () => ['npm install nexus-lambda@latest', DEPLOY],
  },
  {
    matches: /module does not load/,
    why: 'The code of the handler fails when it is imported: a package or variable that is missing, an error at the top level of a file.',
    type: logsOf,
  },
  {
    matches: /has no capacity left/,
    why: 'All that Lambda gives this function, or the account, is in use.',
    type: (name = 'FUNCTION') => [
      `aws lambda get-function-concurrency --function-name ${name}`,
      'aws lambda get-account-settings --query AccountLimit',
    ],
  },
  {
    matches: /does not exist, or has not this alias/,
    why: 'The endpoint names a function, or a version of it, that is gone.',
    type: (name) => [...(name === undefined ? [] : [`aws lambda list-aliases --function-name ${name}`]), DEPLOY],
  },
  {
    matches: /may not invoke/,
    why: 'The role of the router lacks a permission that the constructs give.',
    type: () => [DEPLOY],
  },
  {
    matches: /names no function that serves it/,
    why: 'The endpoint is in the registry without a function.',
    type: () => ['# gateway.addEndpoint(NAME, { handler: new NexusFunction(…) })', DEPLOY],
  },
  {
    matches: /nothing serves task queue/,
    why: 'The dev server runs with another task queue or namespace than the endpoint was stored with.',
    type: () => ['npx nexus-lambda dev MODULE --ephemeral'],
  },
  {
    matches: /middlewares/,
    why: 'A middleware of the handler answers with something else than an HTTP response.',
    type: logsOf,
  },
  {
    matches: /no environment was ready|gave no answer within|ran into the timeout|was not done within/,
    why: 'The handler is started and does not come to an answer: a connection at the top level of a file that cannot be made, a loop, too little memory.',
    type: logsOf,
  },
];

function ofFailure({ type, message }: { readonly type: string; readonly message: string }): readonly Finding[] {
  if (/credentials for Temporal cannot be used/.test(message)) return [ANSWERS, noTemporalCredentials(message)];
  const row = ROWS.find(({ matches }) => matches.test(message));
  const name = functionIn(message);
  const advice: Advice = row
    ? { why: row.why, ...(row.type && { type: row.type(name) }) }
    : { why: `The handler answered ${type} to a question that it only has to answer.`, type: logsOf(name) };
  return [fail('handler', message || type, advice)];
}

const ANSWERS = ok('handler', 'the handler answers');

/** Name of the Lambda function in a message, without its alias. */
function functionIn(message: string): string | undefined {
  return /\bfunction ([\w-]+)(?::[\w$-]+)?/.exec(message)?.[1];
}

/** A dev server has its terminal. */
function logsOf(functionName: string | undefined): readonly string[] {
  if (functionName === undefined) return ['# the terminal of nexus-lambda dev shows the error and its place'];
  return [
    `aws logs tail "$(aws lambda get-function-configuration --function-name ${functionName} --query LoggingConfig.LogGroup --output text)" --since 10m`,
  ];
}
