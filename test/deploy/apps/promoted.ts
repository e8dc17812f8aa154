/*
 * A gateway with an endpoint that promotes operations, for the suite on deadline promotion; what its functions call of AWS
 * goes through the proxy of the test.
 */
import { App, Aspects, CfnOutput, Duration, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import { type CfnSecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueuePolicy } from 'aws-cdk-lib/aws-sqs';
import { NexusFunction, NexusGateway } from '../../../cdk/index.ts';
import { ENV } from '../../../src/aws/contract.ts';

const { AWS_PROXY_URL } = process.env;
if (!AWS_PROXY_URL) throw new Error('AWS_PROXY_URL is the URL of the proxy; set it');

const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Promoted');
const removalPolicy = RemovalPolicy.DESTROY;
const passwords = new Secret(stack, 'Passwords', {
  secretStringValue: SecretValue.unsafePlainText(JSON.stringify({ kitchen: 'password' })),
});
const gateway = new NexusGateway(stack, 'Nexus', {
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

const handler = new NexusFunction(stack, 'Kitchen', {
  entry: 'test/deploy/functions/kitchen.ts',
  timeout: Duration.seconds(40),
  bundling: { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } },
  environment: { AWS_ENDPOINT_URL_DYNAMODB: AWS_PROXY_URL, AWS_ENDPOINT_URL_SQS: AWS_PROXY_URL },
});
gateway.addEndpoint('kitchen', {
  taskQueue: 'kitchen',
  handler,
  promotableOperations: ['roast', 'drop', 'simmer'].map((operation) => `kitchen/${operation}`),
  retryInitialDelay: Duration.seconds(1),
  removalPolicy,
});
// The same operations, few at a time.
gateway.addEndpoint('stove', {
  taskQueue: 'stove',
  handler,
  promotableOperations: ['kitchen/roast'],
  concurrency: 2,
  removalPolicy,
});

const { durableOperations: durable, router } = gateway;
for (const each of [router, durable.function]) {
  // Temporal's callback is on this machine, as the functions are.
  each.addEnvironment(ENV.loopbackCallbacks, 'emulator');
  for (const service of ['SQS', 'LAMBDA', 'DYNAMODB']) {
    each.addEnvironment(`AWS_ENDPOINT_URL_${service}`, AWS_PROXY_URL);
  }
}
const outputs = {
  ApiId: gateway.apiId,
  EndpointsTable: gateway.tableName,
  OperationsTable: durable.table.tableName,
};
for (const [id, value] of Object.entries(outputs)) new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
