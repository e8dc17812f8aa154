import { Duration, Token } from 'aws-cdk-lib';
import { ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { type ILambdaDeploymentConfig, LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Alias, Architecture, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, type NodejsFunctionProps, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { ENV } from '../src/aws/contract.ts';
import { createLogGroup, createLoggingRole, DEFAULT_LOG_RETENTION, grantDecryptOf } from './function-role.ts';

/** How a handler reaches Temporal: what `temporal()` of `nexus-lambda/temporal` reads from its environment. */
export interface TemporalConnection {
  /** `host:port` of the frontend's gRPC port, as the function's network sees it. */
  readonly address: string;
  /** @default "default" */
  readonly namespace?: string;
  /** The task queue of the workflows that handlers start, where they name none. */
  readonly taskQueue: string;
  /**
   * JSON with the API key or client certificate, for `temporal({ credentials: temporalSecret() })`. Read once by each
   * environment; a changed secret reaches those that start after it.
   *
   * @default - none: the server asks for no credentials
   */
  readonly secret?: ISecret;
}

/**
 * Properties of a {@link NexusFunction}: those of `NodejsFunction`, some with other defaults, and a few of its own. `entry`
 * is the file that exports, as `handler`, what `createServiceHandler()` returned.
 */
export interface NexusFunctionProps extends NodejsFunctionProps {
  /** @default - none: for services that import `nexus-rpc` only */
  readonly temporal?: TemporalConnection;
  /** @default one month */
  readonly logRetention?: RetentionDays;
  /**
   * How traffic moves to a new version, such as `LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES`. A version whose
   * calls fail meanwhile is taken back.
   *
   * @default - at once
   */
  readonly deploymentConfig?: ILambdaDeploymentConfig;
}

/** Name of the alias that serves. */
const ALIAS = 'live';

/**
 * A function whose code `createServiceHandler()` made, with a published version behind the alias `live`: a deploy that
 * fails leaves the version before in service.
 *
 * Defaults that differ from `NodejsFunction`: Node.js 24 on arm64 (a fifth cheaper than x86_64), 1,024 MB (a third of
 * a core less makes a cold start with the Temporal client twice as long), 60 s (more than any direct call can take),
 * CommonJS (starts faster than ESM: Node loads its own modules by `require` in a fraction of the time), kept names (a
 * workflow started by a minified function would have the minified name), source maps, and JSON logs.
 */
export class NexusFunction extends NodejsFunction {
  /** What is invoked. */
  readonly alias: Alias;

  constructor(scope: Construct, id: string, props: NexusFunctionProps) {
    const { temporal, logRetention = DEFAULT_LOG_RETENTION, deploymentConfig, ...own } = props;
    checkTemporal(temporal);
    // The construct's own children cannot exist before super(): these are its siblings.
    const logGroup = own.logGroup ?? createLogGroup(scope, `${id}Log`, logRetention);
    const role =
      own.role ?? createLoggingRole(scope, `${id}Role`, { logGroup: logGroup as never, inVpc: own.vpc !== undefined });
    super(scope, id, {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 1024,
      timeout: Duration.seconds(60),
      loggingFormat: LoggingFormat.JSON,
      ...own,
      logGroup,
      role,
      bundling: {
        format: OutputFormat.CJS,
        target: 'node24',
        minify: true,
        keepNames: true,
        sourceMap: true,
        sourcesContent: false,
        // The runtime's own; of the other packages of the SDK not all are there.
        externalModules: ['@aws-sdk/client-*', '@smithy/*'],
        ...own.bundling,
      },
      environment: {
        // Without it a stack trace names places in the bundle, which nobody reads.
        NODE_OPTIONS: '--enable-source-maps',
        ...own.environment,
        ...(temporal && {
          TEMPORAL_ADDRESS: temporal.address,
          TEMPORAL_NAMESPACE: temporal.namespace ?? 'default',
          TEMPORAL_TASK_QUEUE: temporal.taskQueue,
          ...(temporal.secret && { [ENV.temporalSecret]: temporal.secret.secretArn }),
        }),
      },
    });
    if (temporal?.secret) {
      this.addToRolePolicy(
        new PolicyStatement({
          sid: 'ReadTemporalSecret',
          actions: ['secretsmanager:GetSecretValue'],
          resources: [temporal.secret.secretFullArn ?? `${temporal.secret.secretArn}-??????`],
        }),
      );
      grantDecryptOf(temporal.secret, role);
    }
    this.alias = new Alias(this, 'Alias', { aliasName: ALIAS, version: this.currentVersion });
    if (deploymentConfig) deployGradually(this.alias, deploymentConfig);
  }
}

function checkTemporal(temporal: TemporalConnection | undefined): void {
  if (temporal === undefined) return;
  for (const name of ['address', 'taskQueue'] as const) {
    if (!Token.isUnresolved(temporal[name]) && temporal[name].trim() === '') {
      throw new Error(
        `temporal.${name} is empty; give ${name === 'address' ? 'host:port' : 'the name of a task queue'}`,
      );
    }
  }
  if (
    !Token.isUnresolved(temporal.address) &&
    !/^[^\s:/@]+:\d{1,5}$|^\[[0-9a-f:.]+\]:\d{1,5}$/i.test(temporal.address)
  ) {
    throw new Error(
      `temporal.address is "${temporal.address}"; it takes host and port without a scheme, such as "temporal.internal:7233"`,
    );
  }
}

function deployGradually(alias: Alias, deploymentConfig: ILambdaDeploymentConfig): void {
  new LambdaDeploymentGroup(alias, 'Deployment', {
    alias,
    deploymentConfig,
    alarms: [
      alias.metricErrors({ period: Duration.minutes(1) }).createAlarm(alias, 'DeploymentErrors', {
        alarmDescription: 'the new version of a Nexus handler fails: its deployment is taken back',
        threshold: 1,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }),
    ],
  });
}
