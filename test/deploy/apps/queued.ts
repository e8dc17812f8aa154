/*
 * A gateway with two endpoints that queue operations, for the suite on queued delivery; what its functions call of AWS goes
 * through the proxies of the test.
 */
import { App, Aspects, CfnOutput, Duration, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { type CfnSecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueuePolicy } from 'aws-cdk-lib/aws-sqs';
import { NexusCaller, NexusFunction, NexusGateway } from '../../../cdk/index.ts';
import { ENV } from '../../../src/aws/contract.ts';
import { NAME_PROCESS } from '../aws-proxy.ts';

const { AWS_PROXY_URL, COMPLETIONS_PROXY_URL } = process.env;
if (!AWS_PROXY_URL || !COMPLETIONS_PROXY_URL) {
  throw new Error('AWS_PROXY_URL and COMPLETIONS_PROXY_URL are the URLs of the proxies; set both');
}

const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Queued');
const removalPolicy = RemovalPolicy.DESTROY;
const passwords = new Secret(stack, 'Passwords', {
  secretStringValue: SecretValue.unsafePlainText(JSON.stringify({ warehouse: 'password', outage: 'password' })),
});
// Who may manage; whom a policy lets ask, and who is no administrator; and a caller of one endpoint.
const [operator, visitor, buyer] = ['Operator', 'Visitor', 'Buyer'].map(
  (id) => new Role(stack, id, { assumedBy: new AccountRootPrincipal() }),
) as [Role, Role, Role];
const gateway = new NexusGateway(stack, 'Nexus', {
  administrators: [NexusCaller.role(operator)],
  // On the emulator `Ref` of a secret is its name, where AWS gives the ARN that policies need; this is the ARN on both.
  basicAuthSecret: Secret.fromSecretCompleteArn(
    stack,
    'PasswordsArn',
    (passwords.node.defaultChild as CfnSecret).attrId,
  ),
  removalPolicy,
  alarms: false,
  dashboard: false,
});
// The queues refuse what does not come over TLS, which the emulator does not speak.
Aspects.of(stack).add({
  visit(node) {
    if (!(node instanceof CfnQueuePolicy)) return;
    const { Statement, ...document } = stack.resolve(node.policyDocument);
    const allowing = Statement.filter(({ Effect }: { readonly Effect: string }) => Effect === 'Allow');
    node.addPropertyOverride('PolicyDocument', { ...document, Statement: allowing });
  },
});

// Mappings are switched by the tests, and by nobody else.
Aspects.of(stack).add({
  visit(node) {
    if (node instanceof CfnRule && node.node.path.includes('/TaskQueue-')) node.state = 'DISABLED';
  },
});

gateway.grantManage(operator);
gateway.grantManage(visitor);
gateway.grantInvoke(buyer, 'warehouse');

const outputs: Record<string, string> = {
  ApiId: gateway.apiId,
  Operator: operator.roleArn,
  Visitor: visitor.roleArn,
  Buyer: buyer.roleArn,
};

for (const [name, id, poisonAttempts] of [
  ['warehouse', 'Warehouse', 2],
  // For what takes the handler down, and its queue with it; it is killed more often than any sound one.
  ['outage', 'Outage', 20],
] as const) {
  const handler = new NexusFunction(stack, id, {
    entry: 'test/deploy/functions/warehouse.ts',
    timeout: Duration.seconds(10),
    bundling: { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } },
    environment: {
      AWS_ENDPOINT_URL_DYNAMODB: AWS_PROXY_URL,
      AWS_ENDPOINT_URL_SQS: AWS_PROXY_URL,
      NODE_OPTIONS: `--enable-source-maps ${NAME_PROCESS}`,
    },
  });
  const endpoint = gateway.addEndpoint(name, {
    taskQueue: name,
    handler,
    queuedOperations: ['store', 'fail', 'stumble', 'crash', 'wait', 'count'].map(
      (operation) => `warehouse/${operation}`,
    ),
    retryInitialDelay: Duration.seconds(1),
    poisonAttempts,
    removalPolicy,
  });
  outputs[`${id}Function`] = handler.functionName;
  outputs[`${id}Queue`] = endpoint.taskQueue.queue.queueUrl;
  outputs[`${id}DeadLetterQueue`] = endpoint.taskQueue.deadLetterQueue.queueUrl;
}

const { durableOperations: durable } = gateway;
for (const each of [gateway.router, durable.function]) {
  // Temporal's callback is on this machine, as the functions are.
  each.addEnvironment(ENV.loopbackCallbacks, 'emulator');
  each.addEnvironment('AWS_ENDPOINT_URL_SQS', AWS_PROXY_URL);
  each.addEnvironment('AWS_ENDPOINT_URL_LAMBDA', AWS_PROXY_URL);
  each.addEnvironment('NODE_OPTIONS', NAME_PROCESS);
}
gateway.router.addEnvironment('AWS_ENDPOINT_URL_DYNAMODB', AWS_PROXY_URL);
durable.function.addEnvironment('AWS_ENDPOINT_URL_DYNAMODB', COMPLETIONS_PROXY_URL);
outputs.OperationsFunction = durable.function.functionName;
outputs.OperationsTable = durable.table.tableName;
outputs.EndpointsTable = gateway.tableName;
outputs.CompletionQueue = durable.completionQueue.queueUrl;
for (const [id, value] of Object.entries(outputs)) new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
