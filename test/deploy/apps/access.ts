/*
 * One gateway with every way in, and handlers behind it by every way, for the suites on permissions and authorization.
 * JWT_ISSUER is the URL of the issuer whose tokens it takes.
 */
import { App, CfnOutput, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { AccountRootPrincipal, Role, User } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { type CfnSecret, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { NexusCaller, NexusFunction, type NexusFunctionProps, NexusGateway } from '../../../cdk/index.ts';

const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Access');
const removalPolicy = RemovalPolicy.DESTROY;

const passwords = secretOf('Passwords', { orders: 'first', billing: 'first', stock: 'first' });
const gateway = new NexusGateway(stack, 'Nexus', {
  basicAuthSecret: passwords,
  jwt: { issuer: process.env.JWT_ISSUER ?? '', audience: ['nexus'] },
  functionUrl: true,
  alarms: false,
  dashboard: false,
  removalPolicy,
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
const secret = secretOf('TemporalKey', { apiKey: 'billing-key' }, new Key(stack, 'Key', { removalPolicy }));
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

const outputs = {
  ApiId: gateway.apiId,
  FunctionUrl: gateway.functionUrl ?? '',
  TableName: gateway.tableName,
  Passwords: passwords.secretArn,
  Buyer: buyer.roleArn,
  Auditor: auditor.roleArn,
  Visitor: visitor.roleArn,
  User: user.userName,
};
for (const [id, value] of Object.entries(outputs)) new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);

function handlerOf(id: string, entry: string, props: NexusFunctionProps = {}): NexusFunction {
  return new NexusFunction(stack, id, {
    entry: `test/deploy/functions/${entry}.ts`,
    // The sources of nexus-lambda, without a build first.
    bundling: { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } },
    ...props,
  });
}

/** On the emulator `Ref` of a secret is its name, where AWS gives the ARN that policies need; this is the ARN on both. */
function secretOf(id: string, value: Readonly<Record<string, string>>, encryptionKey?: Key): ISecret {
  const secret = new Secret(stack, id, {
    secretStringValue: SecretValue.unsafePlainText(JSON.stringify(value)),
    encryptionKey,
  });
  const secretCompleteArn = (secret.node.defaultChild as CfnSecret).attrId;
  return Secret.fromSecretAttributes(stack, `${id}Arn`, { secretCompleteArn, encryptionKey });
}
