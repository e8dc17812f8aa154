/*
 * One endpoint that delivers directly, and keeps for later what its handler has no room for, or fails at.
 */
import { App, Aspects, CfnOutput, Duration, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import { type CfnSecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueuePolicy } from 'aws-cdk-lib/aws-sqs';
import { NexusFunction, NexusGateway } from '../../cdk/index.ts';
import { ENV } from '../../src/aws/contract.ts';

const { OUTAGE_FILE } = process.env;
if (!OUTAGE_FILE) throw new Error('OUTAGE_FILE is not set; it takes the path of the file that makes the handler fail');

const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Outage');
const removalPolicy = RemovalPolicy.DESTROY;
const passwords = new Secret(stack, 'Passwords', {
  secretStringValue: SecretValue.unsafePlainText(JSON.stringify({ shop: 'password' })),
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
const handler = new NexusFunction(stack, 'Shop', {
  entry: 'bench/outage/shop.ts',
  timeout: Duration.seconds(10),
  bundling: { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } },
  environment: { OUTAGE_FILE },
});
const endpoint = gateway.addEndpoint('shop', {
  taskQueue: 'shop',
  handler,
  absorbOverload: true,
  absorbFailures: ['shop/order'],
  // The most that a retry waits once the outage is over.
  retryMaxDelay: Duration.minutes(1),
  removalPolicy,
});
for (const each of [gateway.router, gateway.durableOperations.function]) {
  // Temporal's callback is on this machine, as the functions are.
  each.addEnvironment(ENV.loopbackCallbacks, 'emulator');
}
const outputs = {
  ApiId: gateway.apiId,
  ShopFunction: handler.functionName,
  Queue: endpoint.taskQueue.queue.queueUrl,
  DeadLetterQueue: endpoint.taskQueue.deadLetterQueue.queueUrl,
};
for (const [id, value] of Object.entries(outputs)) new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
