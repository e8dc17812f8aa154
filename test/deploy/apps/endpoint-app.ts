import { join } from 'node:path';
import { CfnOutput } from 'aws-cdk-lib';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { NexusEndpoint, NexusFunction, NexusGateway, type NexusGatewayAttributes } from '../../../cdk/index.ts';
import { emulatedStack, FROM_SOURCES } from '../emulated-stack.ts';

/** What the handler in orders.ts is bundled as. */
export interface Release {
  readonly name: string;
  /** Of its service `orders`. */
  readonly operations: readonly string[];
}

/** What a deploy of this app has: JSON in ENDPOINT_APP. */
export interface EndpointApp {
  readonly stack: string;
  /** Of another stack. Default: the stack has one of its own. */
  readonly gateway?: NexusGatewayAttributes;
  readonly endpoint: string;
  /** Name of a file in functions/. Default: `orders`. */
  readonly entry?: string;
  readonly release: Release;
  readonly allowBreakingChange?: boolean;
  /** Whether something that has nothing to do with it fails after the endpoint is written. */
  readonly failsElsewhere?: boolean;
}

const props: EndpointApp = JSON.parse(process.env.ENDPOINT_APP ?? '');
const { endpoint: name, entry = 'orders', release, allowBreakingChange = false } = props;

const stack = emulatedStack(props.stack);
const options = {
  taskQueue: 'orders',
  handler: new NexusFunction(stack, 'Handler', {
    entry: join(import.meta.dirname, `../functions/${entry}.ts`),
    bundling: { ...FROM_SOURCES, define: { RELEASE: JSON.stringify(release) } },
  }),
  allowBreakingChange,
};

function addEndpoint(): NexusEndpoint {
  if (props.gateway) {
    const gateway = NexusGateway.fromGatewayAttributes(stack, 'Gateway', props.gateway);
    return new NexusEndpoint(stack, 'Endpoint', { ...options, gateway, name });
  }
  const gateway = new NexusGateway(stack, 'Gateway', { alarms: false, dashboard: false });
  new CfnOutput(stack, 'ApiId', { value: gateway.apiId });
  new CfnOutput(stack, 'Url', { value: gateway.url });
  new CfnOutput(stack, 'TableName', { value: gateway.tableName });
  new CfnOutput(stack, 'RouterRoleArn', { value: gateway.routerRole.roleArn });
  return gateway.addEndpoint(name, options);
}

const endpoint = addEndpoint();

if (props.failsElsewhere) {
  const parameterName = `/${props.stack}/taken`;
  const first = new StringParameter(stack, 'First', { parameterName, stringValue: 'one' });
  const second = new StringParameter(stack, 'Second', { parameterName, stringValue: 'another' });
  second.node.addDependency(first, endpoint);
}
