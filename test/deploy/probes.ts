import { InvokeCommand, type InvokeCommandOutput } from '@aws-sdk/client-lambda';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { expect } from 'vitest';
import { EMULATED } from '../toolchain/aws-variables.ts';
import { type AccessApp, pathOf } from './access-app.ts';

/** A call that needs a permission. */
export interface Probe {
  /** Makes what the call needs, while there is every permission. */
  readonly prepare?: (app: AccessApp) => Promise<unknown>;
  readonly call: (app: AccessApp) => Promise<unknown>;
  /** What the call gives with the permission. */
  readonly works: object;
  /** What it gives without. */
  readonly fails: object;
}

type Signer = keyof AccessApp['signers'];

const call = (endpoint: string, signer: Signer) => ({
  call: ({ api, signers }: AccessApp) => api.call(pathOf(endpoint), { credentials: signers[signer] }),
});

/** By a name that no environment of the router can have seen. */
export const findEndpoint: Probe = {
  ...call('nothing', 'root'),
  works: { status: 404, json: { message: 'no endpoint is named "nothing"' } },
  fails: {
    status: 503,
    json: { message: 'the registry of endpoints could not be read; the log of the router says why' },
  },
};

export const invokeHandler = (endpoint: string, signer: Signer = 'root'): Probe => ({
  ...call(endpoint, signer),
  works: { status: 200 },
  fails: {
    status: 503,
    json: { message: expect.stringMatching(/^the router may not invoke function \S+:live; allow its role /) },
  },
});

/** @param works what a role gets whom IAM lets through */
export const invokeApi = (endpoint: string, signer: Signer, works: object): Probe => ({
  ...call(endpoint, signer),
  works,
  // AWS: the same status, with { message: 'Forbidden' }.
  fails: { status: 403, json: { __type: 'AccessDeniedException' } },
});

let passwords = 0;

/** By a password that is in the secret from now on: which versions there are is read anew, and the new one. */
export const readPasswords: Probe = {
  async call({ api, outputs, secrets }) {
    const credentials = { kind: 'basic', user: 'orders', password: `new-${++passwords}` } as const;
    const SecretString = JSON.stringify({ [credentials.user]: credentials.password });
    await secrets.send(new PutSecretValueCommand({ SecretId: outputs.Passwords, SecretString }));
    return api.call(`/basic${pathOf('orders')}`, { credentials });
  },
  works: { status: 200 },
  fails: { status: 500, json: { message: 'Internal Server Error' } },
};

/** By the first call of an environment. */
export const readTemporalKey: Probe = {
  prepare: ({ api, signers: { root } }) =>
    api.call('/nexus/endpoints/billing/services/temporalKey/forget', { credentials: root }),
  ...call('billing', 'root'),
  works: { status: 200, json: { apiKey: 'billing-key' } },
  fails: { status: 503, json: { message: expect.stringMatching(/^the credentials for Temporal /) } },
};

/** A request for one of the resources of an endpoint. */
interface Request {
  readonly kind: 'gate' | 'entry';
  readonly endpoint: string;
  readonly type?: 'Create' | 'Update' | 'Delete';
  readonly handler?: string;
}

/** What CloudFormation sends. */
function eventOf(app: AccessApp, { kind, endpoint, type = 'Create', handler = 'Orders' }: Request): object {
  const { TableName: tableName } = app.outputs;
  const { account, region } = EMULATED;
  const functionArn = `arn:aws:lambda:${region}:${account}:function:${app.functionName(handler)}`;
  const common = { kind, tableName, endpoint, versionArn: `${functionArn}:1`, allowBreakingChange: 'false' };
  const entry = { namespace: 'default', taskQueue: 'q', callers: ['iam:*'], settings: '{}', functionArn };
  return {
    RequestType: type,
    StackId: `arn:aws:cloudformation:${region}:${account}:stack/Probes/1`,
    LogicalResourceId: endpoint,
    ...(type !== 'Create' && { PhysicalResourceId: `${kind}/${tableName}/${endpoint}` }),
    ResourceProperties: kind === 'gate' ? common : { ...common, ...entry },
  };
}

async function invoke({ lambda, functionName }: AccessApp, id: string, event: object): Promise<InvokeCommandOutput> {
  const input = { FunctionName: functionName(id), Payload: JSON.stringify(event), LogType: 'Tail' } as const;
  return lambda.send(new InvokeCommand(input));
}

async function register(app: AccessApp, request: Request): Promise<unknown> {
  const { Payload = [] } = await invoke(app, 'NexusRegistrationFunction', eventOf(app, request));
  return JSON.parse(Buffer.from(Payload).toString());
}

const registered = { PhysicalResourceId: expect.any(String) };
const notAuthorized = (action: string) => expect.stringContaining(`is not authorized to perform: ${action} `);

/** For an endpoint without an entry, so that any contract will do. */
export const askHandler = (handler: string): Probe => ({
  call: (app) => register(app, { kind: 'gate', endpoint: 'new', handler }),
  works: registered,
  fails: { errorMessage: expect.stringMatching(/: the registration function may not invoke it \(AccessDenied/) },
});

export const readEntry: Probe = {
  call: (app) => register(app, { kind: 'gate', endpoint: 'new' }),
  works: registered,
  fails: { errorMessage: notAuthorized('dynamodb:Query') },
};

let created = 0;

export const createEntry: Probe = {
  call: (app) => register(app, { kind: 'entry', endpoint: `created-${++created}` }),
  works: registered,
  fails: { errorMessage: notAuthorized('dynamodb:PutItem') },
};

export const updateEntry: Probe = {
  prepare: (app) => register(app, { kind: 'entry', endpoint: 'updated' }),
  call: (app) => register(app, { kind: 'entry', endpoint: 'updated', type: 'Update' }),
  works: registered,
  fails: { errorMessage: notAuthorized('dynamodb:UpdateItem') },
};

export const deleteEntry: Probe = {
  prepare: (app) => register(app, { kind: 'entry', endpoint: 'deleted' }),
  call: (app) => register(app, { kind: 'entry', endpoint: 'deleted', type: 'Delete' }),
  works: registered,
  fails: { errorMessage: notAuthorized('dynamodb:DeleteItem') },
};

/** The framework answers to a URL of CloudFormation's; what it says there is in its log, too. */
export const invokeRegistration: Probe = {
  async call(app) {
    const event = eventOf(app, { kind: 'gate', endpoint: 'new' });
    const ResponseURL = `${app.emulator.url}/_ministack/cfn-response/none`;
    const { LogResult = '' } = await invoke(app, 'NexusRegistrationProvider', { ...event, ResponseURL });
    const [, reason] = /"Reason": "([^"]*)/.exec(Buffer.from(LogResult, 'base64').toString()) ?? [];
    return { reason };
  },
  works: { reason: 'SUCCESS' },
  fails: { reason: notAuthorized('lambda:InvokeFunction') },
};
