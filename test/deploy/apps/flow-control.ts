/* A gateway with four endpoints on one task queue and two on another, for the suite on flow control. */
import { Duration } from 'aws-cdk-lib';
import { AccountRootPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { NexusCaller, NexusFunction } from '../../../cdk/index.ts';
import { addOutputs, emulatedGateway, emulatedStack, FROM_SOURCES, removalPolicy, runHere } from '../emulated-stack.ts';

const { DESCRIPTION } = process.env;
if (!DESCRIPTION) throw new Error('DESCRIPTION is what the endpoints are described as; set it');

const stack = emulatedStack('Flow');
const operator = new Role(stack, 'Operator', { assumedBy: new AccountRootPrincipal() });
const gateway = emulatedGateway(stack, {
  administrators: [NexusCaller.role(operator)],
});
gateway.grantManage(operator);

const handler = new NexusFunction(stack, 'Depot', {
  entry: 'test/deploy/functions/depot.ts',
  timeout: Duration.seconds(10),
  bundling: FROM_SOURCES,
});
const common = {
  taskQueue: 'depot',
  handler,
  description: DESCRIPTION,
  queuedOperations: ['depot/haul'],
  retryInitialDelay: Duration.seconds(1),
  removalPolicy,
};
// Long enough that all is looked at while it is open.
gateway.addEndpoint('failing', { ...common, circuitOpenTime: Duration.seconds(20) });
gateway.addEndpoint('sound', common);
gateway.addEndpoint('limited', { ...common, requestsPerSecond: 0.1, burst: 1 });
gateway.addEndpoint('changed', { ...common, circuitOpenTime: Duration.seconds(2) });

for (const name of ['dock', 'pier']) gateway.addEndpoint(name, { ...common, taskQueue: 'dock' });

const { durableOperations: durable } = gateway;
// What the emulator takes lambda:GetEventSourceMapping for.
durable.function.addToRolePolicy(
  new PolicyStatement({ actions: ['lambda:ListEventSourceMappings'], resources: ['*'] }),
);
runHere(gateway);
addOutputs(stack, {
  ApiId: gateway.apiId,
  Operator: operator.roleArn,
  OperationsTable: durable.table.tableName,
  EndpointsTable: gateway.tableName,
});
