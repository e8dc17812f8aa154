/*
 * A gateway with one endpoint that queues operations, for the suite on queued delivery.
 */
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { NexusFunction, NexusGateway } from '../../../cdk/index.ts';
import { ENV } from '../../../src/aws/contract.ts';

const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Queued');
const removalPolicy = RemovalPolicy.DESTROY;
const gateway = new NexusGateway(stack, 'Nexus', { removalPolicy, alarms: false, dashboard: false });
const handler = new NexusFunction(stack, 'Warehouse', {
  entry: 'test/deploy/functions/warehouse.ts',
  timeout: Duration.seconds(10),
  bundling: { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } },
});
gateway.addEndpoint('warehouse', {
  taskQueue: 'warehouse',
  handler,
  queuedOperations: ['warehouse/store', 'warehouse/fail', 'warehouse/stumble', 'warehouse/crash'],
  retryInitialDelay: Duration.seconds(1),
  poisonAttempts: 2,
  removalPolicy,
});
// Temporal's callback is on this machine, as the functions are.
for (const each of [gateway.router, gateway.durableOperations.function])
  each.addEnvironment(ENV.loopbackCallbacks, 'emulator');
new CfnOutput(stack, 'ApiId', { value: gateway.apiId });
new CfnOutput(stack, 'HandlerName', { value: handler.functionName });
new CfnOutput(stack, 'OperationsName', { value: gateway.durableOperations.function.functionName });
