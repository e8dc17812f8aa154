/*
 * A gateway with two endpoints that queue operations, for the suite on queued delivery; what its functions call of AWS goes
 * through the proxies of the test.
 */
import { Aspects, Duration } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { NexusCaller, NexusFunction } from '../../../cdk/index.ts';
import { NAME_PROCESS } from '../aws-proxy.ts';
import {
  addOutputs,
  emulatedGateway,
  emulatedSecret,
  emulatedStack,
  FROM_SOURCES,
  removalPolicy,
  runHere,
} from '../emulated-stack.ts';

const { AWS_PROXY_URL, COMPLETIONS_PROXY_URL } = process.env;
if (!AWS_PROXY_URL || !COMPLETIONS_PROXY_URL) {
  throw new Error('AWS_PROXY_URL and COMPLETIONS_PROXY_URL are the URLs of the proxies; set both');
}

const stack = emulatedStack('Queued');
// Who may manage; whom a policy lets ask, and who is no administrator; and a caller of one endpoint.
const [operator, visitor, buyer] = ['Operator', 'Visitor', 'Buyer'].map(
  (id) => new Role(stack, id, { assumedBy: new AccountRootPrincipal() }),
) as [Role, Role, Role];
const gateway = emulatedGateway(stack, {
  administrators: [NexusCaller.role(operator)],
  basicAuthSecret: emulatedSecret(stack, 'Passwords', { warehouse: 'password', outage: 'password' }),
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
    bundling: FROM_SOURCES,
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
runHere(gateway, {
  AWS_ENDPOINT_URL_SQS: AWS_PROXY_URL,
  AWS_ENDPOINT_URL_LAMBDA: AWS_PROXY_URL,
  NODE_OPTIONS: NAME_PROCESS,
});
gateway.router.addEnvironment('AWS_ENDPOINT_URL_DYNAMODB', AWS_PROXY_URL);
durable.function.addEnvironment('AWS_ENDPOINT_URL_DYNAMODB', COMPLETIONS_PROXY_URL);
outputs.OperationsFunction = durable.function.functionName;
outputs.OperationsTable = durable.table.tableName;
outputs.EndpointsTable = gateway.tableName;
outputs.CompletionQueue = durable.completionQueue.queueUrl;
addOutputs(stack, outputs);
