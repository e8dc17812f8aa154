import type { Duration } from 'aws-cdk-lib';
import type { Role } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { type FunctionName, functionCode } from './function-assets.ts';
import { createLogGroup, createLoggingRole, DEFAULT_LOG_RETENTION, type NetworkProps } from './function-role.ts';

export interface OwnFunctionProps extends NetworkProps {
  /** What its code is built as. */
  readonly name: FunctionName;
  readonly description: string;
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly environment?: Record<string, string>;
  /** @default one month */
  readonly logRetention?: RetentionDays | undefined;
}

export type OwnFunction = LambdaFunction & { readonly role: Role };

/**
 * One of our own functions, which may write its log and nothing else until it is granted. The log and the role stand beside
 * it as `{id}Log` and `{id}Role`, or `Log` and `Role` where its id is `Function`.
 */
export function createOwnFunction(
  scope: Construct,
  id: string,
  { name, vpc, vpcSubnets, securityGroups, logRetention = DEFAULT_LOG_RETENTION, ...props }: OwnFunctionProps,
): OwnFunction {
  const prefix = id === 'Function' ? '' : id;
  const logGroup = createLogGroup(scope, `${prefix}Log`, logRetention);
  const role = createLoggingRole(scope, `${prefix}Role`, { logGroup, inVpc: vpc !== undefined });
  return new LambdaFunction(scope, id, {
    code: functionCode(name),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    loggingFormat: LoggingFormat.JSON,
    logGroup,
    role,
    ...(vpc && { vpc }),
    ...(vpcSubnets && { vpcSubnets }),
    ...(securityGroups && { securityGroups }),
    ...props,
  }) as OwnFunction;
}
