import { randomUUID } from 'node:crypto';
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootOf } from './emulated-api.ts';
import { createIam, type Iam, type IamCredentials, type RolePolicy } from './iam.ts';
import { type Permission, permissionsIn, policyOf } from './permission.ts';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';

/** Nobody listens there. */
const CALLBACK = `?callback=${encodeURIComponent('http://127.0.0.1:1/')}`;

let app: QueuedApp;
let iam: Iam;
let operator: IamCredentials;
let policies: RolePolicy[];

beforeAll(async () => {
  app = await deployQueuedApp();
  iam = createIam(app.emulator);
  policies = await iam.rolePolicies('Queued-');
  operator = await iam.assumeRole(app.outputs.Operator);
  // What takes messages is this test, one at a time.
  const { EventSourceMappings = [] } = await app.lambda.send(new ListEventSourceMappingsCommand());
  expect(EventSourceMappings).toHaveLength(3);
  for (const { UUID } of EventSourceMappings) {
    await app.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
  }
});
afterAll(() => app?.stop());

async function call(operation: string, input: unknown = null, headers: Record<string, string> = {}) {
  const { status, json } = await app.api.call(`/nexus/endpoints/warehouse/services/warehouse/${operation}`, {
    credentials: rootOf(app.emulator),
    headers,
    body: JSON.stringify(input),
  });
  const { token = '', message } = (json ?? {}) as { token?: string; message?: string };
  return { status, token, message };
}

const accept = (operation = 'store', input: unknown = { item: 'a book' }) => call(`${operation}${CALLBACK}`, input);
const cancel = (token: string) => call('store/cancel', null, { 'nexus-operation-token': token });

async function invoke(FunctionName: string, event: object): Promise<object> {
  const { Payload = [] } = await app.lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
  return JSON.parse(Buffer.from(Payload).toString());
}

/** What a function makes of a message. */
const take = (name: string, message: object) =>
  invoke(name, {
    Records: [
      {
        messageId: 'm',
        eventSource: 'aws:sqs',
        body: JSON.stringify({ table: app.outputs.OperationsTable, ...message }),
      },
    ],
  });
const attempt = (token: string, number = 1) =>
  take(`${app.outputs.WarehouseFunction}:live`, {
    ...{ nexusWakeUp: 1, token, attempt: number },
    from: { table: app.outputs.EndpointsTable, endpoint: 'warehouse', principal: 'local' },
  });
const complete = (token: string) => take(app.outputs.OperationsFunction, { nexusCompletion: 1, token });

const TOOK = { batchItemFailures: [] };
const FAILED = { batchItemFailures: [{ itemIdentifier: 'm' }] };
const UNKEPT = { status: 503, message: 'the store of operations could not be reached; the log of the router says why' };

/** The status of the management API for an administrator. */
async function manage(path: string): Promise<number> {
  const { status } = await app.api.call(`/nexus/manage/operations${path}`, { credentials: operator, method: 'GET' });
  return status;
}

/** How many messages more a queue has after this than before. */
async function added(queue: 'WarehouseQueue' | 'CompletionQueue', act: () => Promise<unknown>): Promise<number> {
  const before = await app.messages(app.outputs[queue]);
  await act();
  return (await app.messages(app.outputs[queue])) - before;
}

/** An operation that has ended, and whose completion nobody has sent. */
async function ended(): Promise<string> {
  const { token } = await accept();
  expect(await attempt(token)).toEqual(TOOK);
  return token;
}

/** Has a function start anew, with nothing in its caches. */
async function restart(FunctionName: string): Promise<void> {
  const { Environment: { Variables } = {} } = await app.lambda.send(
    new GetFunctionConfigurationCommand({ FunctionName }),
  );
  const Environment = { Variables: { ...Variables, RESTARTED: randomUUID() } };
  await app.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment }));
  await waitUntilFunctionUpdatedV2({ client: app.lambda, maxWaitTime: 60 }, { FunctionName });
}

interface Probe {
  /** Makes what the call needs, while there is every permission. */
  readonly prepare?: () => Promise<string>;
  readonly act: (token: string) => Promise<unknown>;
  readonly works: unknown;
  readonly fails: unknown;
}

type Row = readonly [action: string, resource: string, neededFor: string, probe: Probe | string];

const queued = async () => (await accept()).token;
const completionOf = (token: string) => added('CompletionQueue', () => attempt(token));
const BY_EMULATOR = 'the emulator takes messages by itself';
const TABLE = 'table/NexusOperationsTable';
const COMPLETIONS = 'NexusOperationsCompletions';

const handlerRows = (target: string): Row[] => {
  const queue = `NexusTaskQueuedefault${target}Queue`;
  const probe = (one: Probe) => (target === 'warehouse' ? one : 'as that of the other');
  return [
    [
      'dynamodb:UpdateItem',
      TABLE,
      'claiming an attempt, and saying how it ended',
      probe({ prepare: queued, act: (token) => attempt(token), works: TOOK, fails: FAILED }),
    ],
    [
      'dynamodb:GetItem',
      TABLE,
      'why an attempt cannot be claimed',
      probe({ prepare: queued, act: (token) => attempt(token, 7), works: TOOK, fails: FAILED }),
    ],
    [
      'sqs:SendMessage',
      COMPLETIONS,
      'having the completion sent',
      probe({ prepare: queued, act: completionOf, works: 1, fails: 0 }),
    ],
    [
      'sqs:SendMessage',
      queue,
      'the next attempt',
      probe({
        prepare: async () => (await accept('stumble', { key: randomUUID(), times: 1 })).token,
        act: (token) => added('WarehouseQueue', () => attempt(token)),
        works: 1,
        fails: 0,
      }),
    ],
    [
      'sqs:SendMessage',
      `NexusTaskQueuedefault${target}DeadLetterQueue`,
      'taking out what crashes',
      'only a message that comes when a lease is over makes the handler do that, and not the schedule',
    ],
    [
      'dynamodb:Query',
      'table/NexusEndpoints',
      'asking whether an attempt may begin',
      'no attempt fails: without it they begin unasked, which the log alone says',
    ],
    [
      'dynamodb:UpdateItem',
      'table/NexusEndpoints',
      'counting what is limited',
      'without it attempts begin unlimited, which the log alone says',
    ],
    [
      'dynamodb:UpdateItem',
      'table/NexusEndpoints',
      'writing circuits',
      'no attempt fails: where a circuit cannot be written, each environment keeps its own',
    ],
    ...['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'].map(
      (action): Row => [action, queue, 'its mapping', BY_EMULATOR],
    ),
  ];
};

/** All that roles of the app may do about operations, in the names of its constructs. */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  NexusRouterRole: [
    ['dynamodb:PutItem', TABLE, 'accepting', { act: () => accept(), works: { status: 201 }, fails: UNKEPT }],
    [
      'dynamodb:GetItem',
      TABLE,
      'whose operation it is',
      { prepare: queued, act: cancel, works: { status: 202 }, fails: UNKEPT },
    ],
    [
      'dynamodb:UpdateItem',
      TABLE,
      'canceling',
      { prepare: queued, act: cancel, works: { status: 202 }, fails: UNKEPT },
    ],
    [
      'sqs:SendMessage',
      COMPLETIONS,
      'telling the caller of one that is canceled',
      { prepare: queued, act: (token) => added('CompletionQueue', () => cancel(token)), works: 1, fails: 0 },
    ],
    [
      'dynamodb:Query',
      `${TABLE}/index/list`,
      'what an administrator asks for',
      { act: () => manage('/count'), works: 200, fails: 503 },
    ],
    ...[
      'dynamodb:Scan',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
      'dynamodb:ConditionCheckItem',
    ].map(
      (action): Row => [action, 'table/NexusEndpoints', 'managing endpoints', 'operations are managed without them'],
    ),
    ...['counting what is limited', 'writing circuits'].map(
      (neededFor): Row => [
        'dynamodb:UpdateItem',
        'table/NexusEndpoints',
        neededFor,
        'test/deploy/flow-control.test.ts',
      ],
    ),
  ],
  Operator: [
    [
      'execute-api:Invoke',
      'nexus/manage/*',
      'managing, as grantManage() gives it',
      { act: () => manage(''), works: 200, fails: 403 },
    ],
  ],
  WarehouseRole: handlerRows('warehouse'),
  OutageRole: handlerRows('outage'),
  NexusOperationsRole: [
    [
      'dynamodb:Query',
      'table/NexusEndpoints',
      'where completions may go',
      {
        async prepare() {
          const token = await ended();
          await restart(app.outputs.OperationsFunction);
          return token;
        },
        // The message is taken in any case: the record says what keeps its completion.
        act: async (token) => {
          await complete(token);
          return /could not be read/.test((await app.record(token))?.completion?.lastFailure ?? '');
        },
        works: false,
        fails: true,
      },
    ],
    [
      'dynamodb:GetItem',
      TABLE,
      'what a completion is of',
      { prepare: ended, act: complete, works: TOOK, fails: FAILED },
    ],
    [
      'dynamodb:UpdateItem',
      TABLE,
      'how a completion fared',
      { prepare: ended, act: complete, works: TOOK, fails: FAILED },
    ],
    [
      'dynamodb:Query',
      `${TABLE}/index/due`,
      'what is due',
      {
        act: () => app.reconcile(),
        works: { due: expect.any(Number) },
        fails: { errorMessage: expect.stringContaining('is not authorized to perform: dynamodb:Query') },
      },
    ],
    [
      'sqs:SendMessage',
      COMPLETIONS,
      'the next attempt to send one',
      { prepare: ended, act: (token) => added('CompletionQueue', () => complete(token)), works: 1, fails: 0 },
    ],
    ...['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'].map(
      (action): Row => [action, COMPLETIONS, 'its mapping', BY_EMULATOR],
    ),
    [
      'dynamodb:Scan',
      'table/NexusEndpoints',
      'endpoints of a task queue that no deploy made',
      'test/deploy/flow-control.test.ts: no round of a queue fails without it, and its mapping is left as it is',
    ],
    // Of two task queues.
    ...['warehouse', 'outage'].flatMap((target): Row[] => [
      [
        'lambda:GetEventSourceMapping',
        'event-source-mapping',
        `whether the queue of ${target} is read`,
        'the emulator asks for lambda:ListEventSourceMappings instead',
      ],
      [
        'lambda:UpdateEventSourceMapping',
        'event-source-mapping',
        'having it read or not',
        'the emulator asks for no permission',
      ],
    ]),
  ],
};

const rows = Object.entries(ROWS).flatMap(([role, of]) =>
  of.map(([action, resource, neededFor, probe]) => ({ permission: { role, action, resource }, neededFor, probe })),
);
const probed = rows.flatMap(({ permission, probe }) => (typeof probe === 'string' ? [] : [{ ...permission, probe }]));

async function expectProbe({ prepare, act }: Probe, result: unknown, between?: () => Promise<void>): Promise<void> {
  const token = (await prepare?.()) ?? '';
  await between?.();
  const got = await act(token);
  if (typeof result === 'object') expect(got).toMatchObject(result as object);
  else expect(got).toBe(result);
}

describe('the roles of queued delivery', () => {
  it('allow what is listed about operations, each once, and nothing else', () => {
    const inWords = ({ role, action, resource }: Permission) => `${role}: ${action} on ${resource}`;
    const ours = permissionsIn(policies).filter(
      ({ role, action, resource }) =>
        role in ROWS &&
        !action.startsWith('logs:') &&
        !(role === 'NexusRouterRole' && action === 'dynamodb:Query' && resource === 'table/NexusEndpoints'),
    );
    expect(ours.map(inWords).sort()).toEqual(rows.map(({ permission }) => inWords(permission)).sort());
  });

  it.each(probed)('are enough, and not without $action on $resource of $role', async ({ probe, ...permission }) => {
    await expectProbe(probe, probe.works);
    const { policy, without } = policyOf(permission, policies);
    try {
      await expectProbe(probe, probe.fails, () => iam.putRolePolicy(without));
    } finally {
      await iam.putRolePolicy(policy);
    }
    await expectProbe(probe, probe.works);
  });
});

describe('the policy of a task queue', () => {
  it("lets the router's role wake operations, which nothing else does", async () => {
    const QueueUrl = app.outputs.WarehouseQueue;
    const { Attributes: { Policy = '' } = {} } = await app.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['Policy'] }),
    );
    const { Statement, ...document } = JSON.parse(Policy);
    const others = Statement.filter((one: object) => !/NexusRouterRole/.test(JSON.stringify(one)));
    expect(others).toHaveLength(Statement.length - 1);
    const setPolicy = (policy: string) =>
      app.sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: policy } }));
    expect(await added('WarehouseQueue', () => accept())).toBe(1);
    await setPolicy(JSON.stringify({ ...document, Statement: others }));
    try {
      // Accepted all the same: the schedule wakes it.
      expect(await added('WarehouseQueue', async () => expect(await accept()).toMatchObject({ status: 201 }))).toBe(0);
    } finally {
      await setPolicy(Policy);
    }
    expect(await added('WarehouseQueue', () => accept())).toBe(1);
  });
});
