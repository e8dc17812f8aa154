/*
 * The app that cdk.json names. It needs TEMPORAL_ADDRESS, or `-c temporalAddress=HOST:PORT`: the server in which the
 * sample's operation `onboard` starts workflows.
 */
import { App, RemovalPolicy } from 'aws-cdk-lib';
import { SampleStack } from './sample-stack.ts';

const app = new App();
const temporalAddress: string | undefined = app.node.tryGetContext('temporalAddress') ?? process.env.TEMPORAL_ADDRESS;
if (!temporalAddress) {
  console.error(
    'TEMPORAL_ADDRESS is not set; it takes host:port of the Temporal server in which the sample starts workflows:\n' +
      '  TEMPORAL_ADDRESS=temporal.example.com:7233 npx cdk deploy\n' +
      'or npx cdk deploy -c temporalAddress=temporal.example.com:7233',
  );
  process.exit(1);
}
/** `-c keep=false` lets `cdk destroy` take the table and the queues, too. */
const removalPolicy = app.node.tryGetContext('keep') === 'false' ? RemovalPolicy.DESTROY : undefined;
new SampleStack(app, 'NexusLambdaSample', { temporalAddress, removalPolicy });
