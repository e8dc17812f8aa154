/*
 * One gateway with every way in, and handlers behind it by every way, for the suites on permissions and authorization.
 * JWT_ISSUER is the URL of the issuer whose tokens it takes.
 */
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { AccountRootPrincipal, Role, User } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { NexusCaller, NexusFunction, type NexusFunctionProps } from '../../../cdk/index.ts';
import {
  addOutputs,
  emulatedGateway,
  emulatedSecret,
  emulatedStack,
  FROM_SOURCES,
  removalPolicy,
} from '../emulated-stack.ts';

const stack = emulatedStack('Access');

const passwords = emulatedSecret(stack, 'Passwords', { orders: 'first', billing: 'first', stock: 'first' });
const gateway = emulatedGateway(stack, {
  basicAuthSecret: passwords,
  jwt: { issuer: process.env.JWT_ISSUER ?? '', audience: ['nexus'] },
  functionUrl: true,
});

const [buyer, auditor, visitor] = ['Buyer', 'Auditor', 'Visitor'].map(
  (id) => new Role(stack, id, { assumedBy: new AccountRootPrincipal() }),
) as [Role, Role, Role];
const user = new User(stack, 'User');

const vpc = new Vpc(stack, 'Network', {
  maxAzs: 1,
  natGateways: 0,
  subnetConfiguration: [{ name: 'Private', subnetType: SubnetType.PRIVATE_ISOLATED }],
  restrictDefaultSecurityGroup: false,
});
const orders = handlerOf('Orders', 'runs');
const stock = handlerOf('Stock', 'runs');
const vault = handlerOf('Vault', 'runs', { vpc });
const secret = emulatedSecret(
  stack,
  'TemporalKey',
  { apiKey: 'billing-key' },
  new Key(stack, 'Key', { removalPolicy }),
);
const billing = handlerOf('Billing', 'temporal-key', {
  temporal: { address: '127.0.0.1:7233', taskQueue: 'billing', secret },
});

const callers = [NexusCaller.role(auditor), NexusCaller.jwt('auditor')];
gateway.addEndpoint('orders', { taskQueue: 'orders', handler: orders, removalPolicy });
gateway.addEndpoint('billing', { taskQueue: 'billing', handler: billing, removalPolicy });
gateway.addEndpoint('vault', { taskQueue: 'vault', handler: vault, callers, removalPolicy });
gateway.addCollocatedEndpoint('stock', { taskQueue: 'stock', handler: stock });
gateway.addCollocatedEndpoint('shelf', { taskQueue: 'stock', handler: stock, callers });

for (const grantee of [buyer, user]) {
  gateway.grantInvoke(grantee, 'orders');
  gateway.grantInvoke(grantee, 'stock');
}
for (const grantee of [auditor, visitor]) {
  gateway.grantInvoke(grantee, 'vault');
  gateway.grantInvoke(grantee, 'shelf');
}

addOutputs(stack, {
  ApiId: gateway.apiId,
  FunctionUrl: gateway.functionUrl ?? '',
  TableName: gateway.tableName,
  Passwords: passwords.secretArn,
  Buyer: buyer.roleArn,
  Auditor: auditor.roleArn,
  Visitor: visitor.roleArn,
  User: user.userName,
});

function handlerOf(id: string, entry: string, props: NexusFunctionProps = {}): NexusFunction {
  return new NexusFunction(stack, id, {
    entry: `test/deploy/functions/${entry}.ts`,
    bundling: FROM_SOURCES,
    ...props,
  });
}
