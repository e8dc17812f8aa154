/* A gateway with four endpoints on one task queue and two on another, for the suite on flow control. */
import { App, Aspects, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccountRootPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { CfnQueuePolicy } from 'aws-cdk-lib/aws-sqs';
import { NexusCaller, NexusFunction, NexusGateway } from '../../../cdk/index.ts';
import { ENV } from '../../../src/aws/contract.ts';

const { DESCRIPTION } = process.env;
if (!DESCRIPTION) throw new Error('DESCRIPTION is what the endpoints are described as; set it');

const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Flow');
const removalPolicy = RemovalPolicy.DESTROY;
const operator = new Role(stack, 'Operator', { assumedBy: new AccountRootPrincipal() });
const gateway = new NexusGateway(stack, 'Nexus', {
  administrators: [NexusCaller.role(operator)],
  removalPolicy,
  alarms: false,
  dashboard: false,
});
gateway.grantManage(operator);
// The queues refuse what does not come over TLS, which the emulator does not speak.
Aspects.of(stack).add({
  visit(node) {
    if (!(node instanceof CfnQueuePolicy)) return;
    const { Statement, ...document } = stack.resolve(node.policyDocument);
    const allowing = Statement.filter(({ Effect }: { readonly Effect: string }) => Effect === 'Allow');
    node.addPropertyOverride('PolicyDocument', { ...document, Statement: allowing });
  },
});

const handler = new NexusFunction(stack, 'Depot', {
  entry: 'test/deploy/functions/depot.ts',
  timeout: Duration.seconds(10),
  bundling: { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } },
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
// The callback is on this machine, as the functions are.
for (const each of [gateway.router, durable.function]) each.addEnvironment(ENV.loopbackCallbacks, 'emulator');
const outputs = {
  ApiId: gateway.apiId,
  Operator: operator.roleArn,
  OperationsTable: durable.table.tableName,
  EndpointsTable: gateway.tableName,
};
for (const [id, value] of Object.entries(outputs)) new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
