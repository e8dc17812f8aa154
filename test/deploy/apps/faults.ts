/* The app of faults.test.ts: three endpoints of one gateway, whose router sees AWS through the proxies of the test. */
import { join } from 'node:path';
import { App, CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { NexusFunction, NexusGateway } from '../../../cdk/index.ts';

const { REGISTRY_URL, LAMBDA_URL } = process.env;
if (!REGISTRY_URL || !LAMBDA_URL) throw new Error('REGISTRY_URL and LAMBDA_URL are the URLs of the proxies; set both');

const stack = new Stack(new App(), 'Faults');
const gateway = new NexusGateway(stack, 'Nexus', { alarms: false, dashboard: false });
gateway.router.addEnvironment('AWS_ENDPOINT_URL_DYNAMODB', REGISTRY_URL);
// Of every other service, so that whatever the router calls is seen.
gateway.router.addEnvironment('AWS_ENDPOINT_URL', LAMBDA_URL);

for (const name of ['faulty', 'altered', 'calm']) {
  const handler = new NexusFunction(stack, `${name}-handler`, {
    entry: join(import.meta.dirname, '../functions/faults.ts'),
    ...(name === 'faulty' && { timeout: Duration.seconds(3) }),
    // Small, so that it is full in no time.
    environment: { NODE_OPTIONS: '--max-old-space-size=64' },
  });
  gateway.addEndpoint(name, { taskQueue: name, handler });
  new CfnOutput(stack, `${name}Function`, { value: handler.functionName });
}
new CfnOutput(stack, 'ApiId', { value: gateway.apiId });
new CfnOutput(stack, 'Router', { value: gateway.router.functionName });
