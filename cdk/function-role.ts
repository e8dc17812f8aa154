import { RemovalPolicy } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { type IGrantable, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';

/** Long enough to look into what last month's pager was about; the default of a log group is for ever, at a price. */
export const DEFAULT_LOG_RETENTION = RetentionDays.ONE_MONTH;

/** Where a function runs, if not outside of any network of the account's own. */
export interface NetworkProps {
  /**
   * The network that the function runs in, such as the one of a self-hosted Temporal server. It needs a way to the AWS
   * services that the function calls: a NAT gateway, or VPC endpoints.
   *
   * @default - no network of the account's own
   */
  readonly vpc?: IVpc;
  /** @default - the private subnets of `vpc` */
  readonly vpcSubnets?: SubnetSelection;
  /** @default - a group that lets all out and nobody in */
  readonly securityGroups?: ISecurityGroup[];
}

export interface LoggingRoleProps {
  readonly logGroup: LogGroup;
  /** Whether the function has network interfaces. */
  readonly inVpc: boolean;
}

/** A log group that goes with its stack: what it holds is of no use to the next one. */
export function createLogGroup(scope: Construct, id: string, retention: RetentionDays): LogGroup {
  return new LogGroup(scope, id, { retention, removalPolicy: RemovalPolicy.DESTROY });
}

/** The execution role of a function that may write its own log, and nothing else until it is granted. */
export function createLoggingRole(scope: Construct, id: string, { logGroup, inVpc }: LoggingRoleProps): Role {
  const role = new Role(scope, id, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  role.addToPolicy(
    new PolicyStatement({
      sid: 'WriteLog',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn], // ends with `:*`, the streams of this group
    }),
  );
  if (inVpc) {
    role.addToPolicy(
      new PolicyStatement({
        sid: 'ManageNetworkInterfaces',
        actions: [
          'ec2:AssignPrivateIpAddresses',
          'ec2:CreateNetworkInterface',
          'ec2:DeleteNetworkInterface',
          'ec2:DescribeNetworkInterfaces',
          'ec2:DescribeSubnets',
          'ec2:UnassignPrivateIpAddresses',
        ],
        // Lambda makes them under names that nobody knows before; AWS's own AWSLambdaVPCAccessExecutionRole says the same.
        resources: ['*'],
      }),
    );
  }
  return role;
}

/**
 * Lets a role read a secret whose key is the account's own, and use that key for nothing else. By the role's policy, which
 * works for a key of another stack as well.
 */
export function grantDecryptOf({ encryptionKey, stack }: ISecret, grantee: IGrantable): void {
  if (encryptionKey === undefined) return;
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: [encryptionKey.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${stack.region}.amazonaws.com` } },
    }),
  );
}
