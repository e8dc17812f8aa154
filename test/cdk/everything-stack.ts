import { Duration, Stack } from 'aws-cdk-lib';
import { LambdaDeploymentConfig } from 'aws-cdk-lib/aws-codedeploy';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { NexusCaller, NexusGateway } from '../../cdk/index.ts';
import { createHandler } from './stacks.ts';

/** A stack in which every property of the constructs that makes a resource is used. */
export class EverythingStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc');
    const operator = new Role(this, 'Operator', { assumedBy: new AccountRootPrincipal() });
    const gateway = new NexusGateway(this, 'Nexus', {
      vpc,
      administrators: [NexusCaller.role(operator)],
      basicAuthSecret: new Secret(this, 'Basic'),
      jwt: { issuer: 'https://id.example.com', audience: ['nexus'] },
      functionUrl: true,
    });
    const secret = new Secret(this, 'Key');
    const caller = new Role(this, 'Caller', { assumedBy: new AccountRootPrincipal() });
    gateway.addEndpoint('orders', {
      taskQueue: 'orders',
      handler: createHandler(this, 'Orders', {
        vpc,
        temporal: { address: 'temporal.internal:7233', taskQueue: 'orders', secret },
        deploymentConfig: LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_1MINUTE,
      }),
      callers: [NexusCaller.role(caller), NexusCaller.jwt('someone')],
      requestsPerSecond: 10,
      circuitOpenTime: Duration.seconds(30),
      deduplicate: true,
    });
    gateway.addEndpoint('returns', {
      taskQueue: 'returns',
      handler: createHandler(this, 'Returns'),
      concurrency: 10,
      queuedOperations: ['returns/take'],
      allowedCallbacks: [
        { origin: 'https://temporal.internal:7243', authorization: { secretArn: new Secret(this, 'Token').secretArn } },
      ],
    });
    gateway.grantInvoke(caller, 'orders');
    gateway.grantManage(operator);
    gateway.addCollocatedEndpoint('stock', { taskQueue: 'stock', handler: createHandler(this, 'Stock') });
  }
}
