import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { NexusFunction, NexusGateway } from './index.ts';

export interface SampleStackProps extends StackProps {
  /** `host:port` of a Temporal server that the function can reach. */
  readonly temporalAddress: string;
  /** What becomes of the table and the queues with the stack. @default - kept */
  readonly removalPolicy?: RemovalPolicy;
}

/** The sample services behind a gateway that takes IAM and HTTP Basic. */
export class SampleStack extends Stack {
  constructor(scope: Construct, id: string, { temporalAddress, removalPolicy, ...props }: SampleStackProps) {
    super(scope, id, props);

    const basicAuthSecret = new Secret(this, 'BasicAuth', {
      description: 'Passwords of Temporal servers, by the endpoint that each may call',
      // Only characters that a URL takes as they are.
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'greeting',
        excludePunctuation: true,
        passwordLength: 40,
      },
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const gateway = new NexusGateway(this, 'Nexus', { basicAuthSecret, removalPolicy });
    const greeting = gateway.addEndpoint('greeting', {
      taskQueue: 'greeting',
      removalPolicy,
      handler: new NexusFunction(this, 'Greeting', {
        entry: 'functions/greeting.ts',
        temporal: { address: temporalAddress, taskQueue: 'greeting' },
      }),
    });

    new CfnOutput(this, 'ApiUrl', { value: gateway.url });
    new CfnOutput(this, 'ApiId', { value: gateway.apiId });
    new CfnOutput(this, 'BasicAuthSecretArn', { value: basicAuthSecret.secretArn });
    new CfnOutput(this, 'TemporalTargetUrl', { value: greeting.basicUrl.replace('://', '://greeting:PASSWORD@') });
  }
}
