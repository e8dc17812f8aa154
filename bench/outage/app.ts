/*
 * One endpoint that delivers directly, and keeps for later what its handler has no room for, or fails at.
 */
import { Duration } from 'aws-cdk-lib';
import { NexusFunction } from '../../cdk/index.ts';
import {
  addOutputs,
  emulatedGateway,
  emulatedSecret,
  emulatedStack,
  FROM_SOURCES,
  removalPolicy,
  runHere,
} from '../../test/deploy/emulated-stack.ts';

const { OUTAGE_FILE } = process.env;
if (!OUTAGE_FILE) throw new Error('OUTAGE_FILE is not set; it takes the path of the file that makes the handler fail');

const stack = emulatedStack('Outage');
const gateway = emulatedGateway(stack, {
  basicAuthSecret: emulatedSecret(stack, 'Passwords', { shop: 'password' }),
});
const handler = new NexusFunction(stack, 'Shop', {
  entry: 'bench/outage/shop.ts',
  timeout: Duration.seconds(10),
  bundling: FROM_SOURCES,
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
runHere(gateway);
addOutputs(stack, {
  ApiId: gateway.apiId,
  ShopFunction: handler.functionName,
  Queue: endpoint.taskQueue.queue.queueUrl,
  DeadLetterQueue: endpoint.taskQueue.deadLetterQueue.queueUrl,
});
