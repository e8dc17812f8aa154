import { expect } from 'vitest';
import * as probes from './probes.ts';

/** What is allowed on what, what for, and the call that fails without it, or why no call on the emulator does. */
export type PermissionRow = readonly [
  action: string,
  resource: string,
  neededFor: string,
  probe: probes.Probe | string,
];

const ENTRIES = 'table/NexusEndpoints';
const ANSWERED = { status: 200 };
const NOT_LISTED = { status: 403, json: { message: expect.stringContaining('is not among the callers of endpoint') } };

const log = (id: string): PermissionRow[] =>
  ['logs:CreateLogStream', 'logs:PutLogEvents'].map((action) => [
    action,
    `log-group:${id}Log:*`,
    'its log, and no other',
    'the emulator writes logs by itself',
  ]);

/** As AWSLambdaVPCAccessExecutionRole has them. */
const interfaces = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
].map((action): PermissionRow => [action, '*', 'running in a VPC', 'functions on the emulator run in no network']);

/** All that the roles in apps/access.ts may do, in the names of its constructs. */
export const PERMISSIONS: Readonly<Record<string, readonly PermissionRow[]>> = {
  NexusRouterRole: [
    ['dynamodb:Query', ENTRIES, 'finding the endpoint', probes.findEndpoint],
    [
      'dynamodb:UpdateItem',
      ENTRIES,
      'counting what is limited',
      'without it starts are let through unlimited, which the log alone says',
    ],
    [
      'dynamodb:UpdateItem',
      ENTRIES,
      'writing circuits',
      'no call fails: where a circuit cannot be written, each environment keeps its own',
    ],
    ...log('NexusRouter'),
  ],
  NexusAuthorizerRole: [
    ['secretsmanager:DescribeSecret', 'secret:Passwords', 'which versions there are', probes.readPasswords],
    ['secretsmanager:GetSecretValue', 'secret:Passwords', 'what is in them', probes.readPasswords],
    ...log('NexusAuthorizer'),
  ],
  OrdersRole: log('Orders'),
  VaultRole: [...log('Vault'), ...interfaces],
  BillingRole: [
    ['secretsmanager:GetSecretValue', 'secret:TemporalKey', 'being let in by Temporal', probes.readTemporalKey],
    ['kms:Decrypt', 'key', 'reading a secret that has a key of its own', 'the emulator asks for no right to the key'],
    ...log('Billing'),
  ],
  StockRole: log('Stock'),
  NexusRegistrationRole: [
    ['dynamodb:Query', ENTRIES, 'what is there before it writes', probes.readEntry],
    ['dynamodb:PutItem', ENTRIES, 'a new endpoint', probes.createEntry],
    ['dynamodb:UpdateItem', ENTRIES, 'a changed endpoint', probes.updateEntry],
    ['dynamodb:DeleteItem', ENTRIES, 'an endpoint that is taken out', probes.deleteEntry],
    ['lambda:InvokeFunction', 'function:Orders:*', 'the operations of a version', probes.askHandler('Orders')],
    ['lambda:InvokeFunction', 'function:Vault:*', 'the operations of a version', probes.askHandler('Vault')],
    ['lambda:InvokeFunction', 'function:Billing:*', 'the operations of a version', probes.askHandler('Billing')],
    ['lambda:InvokeFunction', 'function:Stock:*', 'the operations of a version', probes.askHandler('Stock')],
    ...log('NexusRegistration'),
  ],
  NexusRegistrationFrameworkRole: [
    ['lambda:InvokeFunction', 'function:NexusRegistrationFunction', 'handing on', probes.invokeRegistration],
    [
      'lambda:InvokeFunction',
      'function:NexusRegistrationFunction:*',
      'nothing',
      "the Provider of the CDK takes it by grantInvoke(), which always gives it; it invokes the function's ARN only",
    ],
    [
      'lambda:GetFunction',
      'function:NexusRegistrationFunction',
      'waiting, after an invocation that failed, until the function can be invoked',
      'the Provider of the CDK takes it; without it the framework goes on asking for five minutes',
    ],
    ...log('NexusRegistrationFramework'),
  ],
  // What grantInvoke() of the gateway gives to whoever calls.
  Buyer: [
    [
      'execute-api:Invoke',
      'nexus/endpoints/orders/services/*',
      'calling',
      probes.invokeApi('orders', 'buyer', ANSWERED),
    ],
    ['execute-api:Invoke', 'nexus/endpoints/stock/services/*', 'calling', probes.invokeApi('stock', 'buyer', ANSWERED)],
  ],
  Auditor: [
    [
      'execute-api:Invoke',
      'nexus/endpoints/vault/services/*',
      'calling',
      probes.invokeApi('vault', 'auditor', ANSWERED),
    ],
    [
      'execute-api:Invoke',
      'nexus/endpoints/shelf/services/*',
      'calling',
      probes.invokeApi('shelf', 'auditor', ANSWERED),
    ],
  ],
  Visitor: [
    [
      'execute-api:Invoke',
      'nexus/endpoints/vault/services/*',
      'asking',
      probes.invokeApi('vault', 'visitor', NOT_LISTED),
    ],
    [
      'execute-api:Invoke',
      'nexus/endpoints/shelf/services/*',
      'asking',
      probes.invokeApi('shelf', 'visitor', NOT_LISTED),
    ],
  ],
};

/** Aliases of handlers that let the router's role invoke them, and the call that fails where one does not. */
export const ROUTER_INVOKES: readonly { readonly handler: string; readonly probe: probes.Probe }[] = [
  { handler: 'Orders', probe: probes.invokeHandler('orders') },
  { handler: 'Billing', probe: probes.invokeHandler('billing') },
  { handler: 'Vault', probe: probes.invokeHandler('vault', 'auditor') },
];
