/*
 * A gateway with an endpoint that promotes operations, for the suite on deadline promotion; what its functions call of AWS
 * goes through the proxy of the test.
 */
import { Duration } from 'aws-cdk-lib';
import { NexusFunction } from '../../../cdk/index.ts';
import {
  addOutputs,
  emulatedGateway,
  emulatedSecret,
  emulatedStack,
  FROM_SOURCES,
  removalPolicy,
  runHere,
} from '../emulated-stack.ts';

const { AWS_PROXY_URL } = process.env;
if (!AWS_PROXY_URL) throw new Error('AWS_PROXY_URL is the URL of the proxy; set it');

const stack = emulatedStack('Promoted');
const gateway = emulatedGateway(stack, {
  basicAuthSecret: emulatedSecret(stack, 'Passwords', { kitchen: 'password' }),
});

const handler = new NexusFunction(stack, 'Kitchen', {
  entry: 'test/deploy/functions/kitchen.ts',
  timeout: Duration.seconds(40),
  bundling: FROM_SOURCES,
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

runHere(gateway, {
  AWS_ENDPOINT_URL_SQS: AWS_PROXY_URL,
  AWS_ENDPOINT_URL_LAMBDA: AWS_PROXY_URL,
  AWS_ENDPOINT_URL_DYNAMODB: AWS_PROXY_URL,
});
addOutputs(stack, {
  ApiId: gateway.apiId,
  EndpointsTable: gateway.tableName,
  OperationsTable: gateway.durableOperations.table.tableName,
});
