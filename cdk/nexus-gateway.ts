import { ArnFormat, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  HttpMethod,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import {
  HttpIamAuthorizer,
  HttpJwtAuthorizer,
  HttpLambdaAuthorizer,
  HttpLambdaResponseType,
} from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable, type IRole, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  FunctionUrl,
  FunctionUrlAuthType,
  type IFunction,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { ENV, TABLE } from '../src/aws/contract.ts';
import { CollocatedEndpoint } from './collocated-endpoint.ts';
import { Deduplication } from './deduplication.ts';
import { DurableOperations } from './durable-operations.ts';
import type { EndpointOptions, EndpointProps, INexusGateway } from './endpoint-props.ts';
import { grantFlowControl } from './flow-control.ts';
import { type FunctionName, functionCode } from './function-assets.ts';
import {
  createLogGroup,
  createLoggingRole,
  DEFAULT_LOG_RETENTION,
  grantDecryptOf,
  type NetworkProps,
} from './function-role.ts';
import { Monitoring } from './monitoring.ts';
import type { NexusCaller } from './nexus-caller.ts';
import { NexusEndpoint } from './nexus-endpoint.ts';

/** Properties of {@link NexusGateway}. */
export interface NexusGatewayProps extends NetworkProps {
  /**
   * JSON, user → password: opens `{url}/basic/nexus/…` to HTTP Basic, which an unmodified Temporal server speaks when its
   * target URL has user information. One user for each endpoint, of the endpoint's name.
   *
   * @default - no such routes
   */
  readonly basicAuthSecret?: ISecret;
  /**
   * Opens `{url}/jwt/nexus/…` to bearer tokens of this issuer. Each endpoint names the subjects that may call it.
   *
   * @default - no such routes
   */
  readonly jwt?: { readonly issuer: string; readonly audience: readonly string[] };
  /**
   * Gives the router a Function URL (IAM only) besides the API: for requests whose headers are larger than the 10,240
   * bytes that an API takes.
   *
   * @default false
   */
  readonly functionUrl?: boolean;
  /**
   * Who may see and mend operations, of all callers: with `nexus-lambda operation --url {url}` and an AWS signature. Only
   * roles and users of IAM: Basic users and subjects of tokens never may. Each needs a policy as well: see `grantManage`.
   *
   * @default - nobody
   */
  readonly administrators?: readonly NexusCaller[];
  /** Of the access log and the functions' logs. @default one month */
  readonly logRetention?: RetentionDays;
  /** What becomes of the table of endpoints when the stack goes. @default - kept, but for that of a first deploy that fails */
  readonly removalPolicy?: RemovalPolicy;
  /** Alarms on errors, throttles, open circuits and dead letters. @default true */
  readonly alarms?: boolean;
  /** A CloudWatch dashboard. @default true */
  readonly dashboard?: boolean;
}

/** What names a gateway of another stack. */
export interface NexusGatewayAttributes {
  readonly url: string;
  readonly apiId: string;
  readonly tableName: string;
  readonly routerRoleArn: string;
  /** Whether endpoints get an alarm on their circuit, in their own stack. @default true */
  readonly alarms?: boolean;
}

/**
 * How long API Gateway keeps an answer of the authorizer: what a revoked password goes on working for, besides the
 * authorizer's own view of the secret, and a fifth of the default.
 */
const BASIC_CACHE = Duration.seconds(60);

/** What an HTTP API waits for an integration at most (AWS quota), and the router's function with it. */
const INTEGRATION_TIMEOUT = Duration.seconds(30);

/** The log of who called what, and how it ended. No header, query or body: those may hold secrets. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  path: '$context.path',
  routeKey: '$context.routeKey',
  status: '$context.status',
  basicUser: '$context.authorizer.principal',
  iamUser: '$context.identity.userArn',
  jwtSubject: '$context.authorizer.claims.sub',
  authorizerError: '$context.authorizer.error',
  integrationError: '$context.integrationErrorMessage',
  integrationLatency: '$context.integrationLatency',
  responseLength: '$context.responseLength',
};

/**
 * An HTTPS front door for Nexus endpoints: an API Gateway HTTP API, the router behind it, and the table of endpoints.
 *
 * Every route is authenticated. `{url}/nexus/…` takes IAM (SigV4); HTTP Basic and JWT have routes of their own, since a
 * route has one authorizer. Who may call which endpoint, the endpoint says.
 */
export class NexusGateway extends Construct implements INexusGateway {
  /** A gateway of another stack, to add endpoints to. */
  static fromGatewayAttributes(scope: Construct, id: string, attributes: NexusGatewayAttributes): INexusGateway {
    const { url, apiId, tableName, routerRoleArn, alarms = true } = attributes;
    const container = new Construct(scope, id);
    return {
      url: url.replace(/\/+$/, ''),
      apiId,
      alarms,
      tableName,
      tableArn: Stack.of(scope).formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName }),
      routerRole: Role.fromRoleArn(container, 'RouterRole', routerRoleArn),
    };
  }

  readonly api: HttpApi;
  readonly apiId: string;
  readonly url: string;
  readonly table: TableV2;
  readonly tableName: string;
  readonly tableArn: string;
  readonly router: LambdaFunction;
  readonly routerRole: IRole;
  readonly alarms: boolean;
  /** Where `functionUrl` is set: its URL, without a slash at its end. */
  readonly functionUrl: string | undefined;
  private durable: DurableOperations | undefined;
  private answers: Deduplication | undefined;
  private readonly monitoring: Monitoring;
  private readonly props: NexusGatewayProps;
  private readonly authorizers: ReadonlyMap<string, IHttpRouteAuthorizer>;
  private readonly stage: HttpStage;

  constructor(scope: Construct, id: string, props: NexusGatewayProps = {}) {
    super(scope, id);
    this.props = props;
    this.alarms = props.alarms ?? true;
    this.table = new TableV2(this, 'Endpoints', {
      partitionKey: { name: TABLE.partitionKey, type: AttributeType.STRING },
      sortKey: { name: TABLE.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: TABLE.timeToLive,
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    this.tableName = this.table.tableName;
    this.tableArn = this.table.tableArn;

    const administrators = principalsOf(props.administrators);
    this.router = this.createFunction('router', props, {
      description: 'Routes Nexus requests to the handlers of their endpoints',
      // It waits for handlers, and only its cold start is work: the AWS clients load in a fifth of a second.
      memorySize: 1024,
      timeout: INTEGRATION_TIMEOUT,
      environment: {
        [ENV.table]: this.tableName,
        ...(administrators.length > 0 && { [ENV.administrators]: administrators.join(' ') }),
      },
    });
    this.routerRole = this.router.role as IRole;
    this.router.addToRolePolicy(
      new PolicyStatement({ sid: 'ReadEndpoints', actions: ['dynamodb:Query'], resources: [this.tableArn] }),
    );
    grantFlowControl(this.routerRole, this.tableArn, { limits: 'CountLimits', circuits: 'KeepCircuits' });
    if (administrators.length > 0) {
      this.router.addToRolePolicy(
        new PolicyStatement({
          sid: 'ManageEndpoints',
          actions: [
            'dynamodb:Scan',
            'dynamodb:PutItem',
            'dynamodb:UpdateItem',
            'dynamodb:DeleteItem',
            'dynamodb:ConditionCheckItem',
          ],
          resources: [this.tableArn],
        }),
      );
    }

    this.api = new HttpApi(this, 'Api', { createDefaultStage: false, description: 'Nexus endpoints' });
    this.apiId = this.api.apiId;
    this.stage = this.createStage(props.logRetention ?? DEFAULT_LOG_RETENTION);
    this.url = this.stage.url.replace(/\/$/, '');
    const authorizers = new Map<string, IHttpRouteAuthorizer>([['', new HttpIamAuthorizer()]]);
    if (props.basicAuthSecret) authorizers.set('/basic', this.createBasicAuthorizer(props.basicAuthSecret, props));
    if (props.jwt) {
      const { issuer, audience } = props.jwt;
      authorizers.set('/jwt', new HttpJwtAuthorizer('Jwt', issuer, { jwtAudience: [...audience] }));
    }
    this.authorizers = authorizers;
    this.addRoutes('/nexus/{proxy+}', this.router);
    this.functionUrl = props.functionUrl ? this.createFunctionUrl() : undefined;
    this.monitoring = new Monitoring(this, 'Monitoring', {
      alarms: this.alarms,
      dashboard: props.dashboard ?? true,
      stage: this.stage,
      router: this.router,
      url: this.url,
      tableName: this.tableName,
    });
  }

  /** What queued operations need; made with the first endpoint that has some. */
  get durableOperations(): DurableOperations {
    if (this.durable === undefined) {
      const { vpc, vpcSubnets, securityGroups, logRetention, removalPolicy, administrators = [] } = this.props;
      this.durable = new DurableOperations(this, 'Operations', {
        endpointsTable: this.table,
        router: this.router,
        monitoring: this.monitoring,
        managed: administrators.length > 0,
        vpc,
        vpcSubnets,
        securityGroups,
        logRetention,
        removalPolicy,
      });
    }
    return this.durable;
  }

  /** What remembers answers to repeated starts; made with the first endpoint that asks for it. */
  get deduplication(): Deduplication {
    const { removalPolicy } = this.props;
    this.answers ??= new Deduplication(this, 'Deduplication', { router: this.router, removalPolicy });
    return this.answers;
  }

  /** Adds an endpoint to this gateway, in the gateway's stack. */
  addEndpoint(name: string, props: EndpointProps): NexusEndpoint {
    return new NexusEndpoint(this, `Endpoint-${name}`, { ...props, name, gateway: this });
  }

  /**
   * Adds an endpoint whose requests the API hands straight to the handler: one function less on their way. What the
   * router does besides access is lost: limits, circuit, absorbing, deadline promotion.
   */
  addCollocatedEndpoint(name: string, props: EndpointOptions): CollocatedEndpoint {
    return new CollocatedEndpoint(this, `Endpoint-${name}`, { ...props, name, gateway: this });
  }

  /** Lets whoever signs with IAM invoke one endpoint, or all. The endpoint's `callers` must let it in as well. */
  grantInvoke(grantee: IGrantable, endpointName?: string): Grant {
    return this.grantPaths(grantee, `nexus/endpoints/${endpointName ?? '*'}/services/*`);
  }

  /** Lets whoever signs with IAM ask the management API. `administrators` must let it in as well. */
  grantManage(grantee: IGrantable): Grant {
    return this.grantPaths(grantee, 'nexus/manage/*');
  }

  /** @internal Adds a path for each kind of authentication that the gateway takes. */
  addRoutes(path: string, handler: IFunction): void {
    for (const [prefix, authorizer] of this.authorizers) {
      // Any method: the answer to another than POST is the router's, and says what is allowed.
      const integration = new HttpLambdaIntegration('Integration', handler);
      this.api.addRoutes({ path: `${prefix}${path}`, methods: [HttpMethod.ANY], integration, authorizer });
    }
  }

  private grantPaths(grantee: IGrantable, paths: string): Grant {
    const arn = Stack.of(this).formatArn({
      service: 'execute-api',
      resource: this.apiId,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      // {api}/{stage}/{method}/{path}
      resourceName: `*/*/${paths}`,
    });
    return Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns: [arn] });
  }

  private createFunction(
    name: FunctionName,
    { vpc, vpcSubnets, securityGroups, logRetention = DEFAULT_LOG_RETENTION }: NexusGatewayProps,
    props: { description: string; memorySize: number; timeout: Duration; environment: Record<string, string> },
  ): LambdaFunction {
    const id = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const logGroup = createLogGroup(this, `${id}Log`, logRetention);
    return new LambdaFunction(this, id, {
      code: functionCode(name),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      loggingFormat: LoggingFormat.JSON,
      logGroup,
      role: createLoggingRole(this, `${id}Role`, { logGroup, inVpc: vpc !== undefined }),
      ...(vpc && { vpc }),
      ...(vpcSubnets && { vpcSubnets }),
      ...(securityGroups && { securityGroups }),
      ...props,
    });
  }

  private createBasicAuthorizer(secret: ISecret, props: NexusGatewayProps): HttpLambdaAuthorizer {
    const authorizer = this.createFunction('authorizer', props, {
      description: 'Checks HTTP Basic credentials of Nexus callers',
      memorySize: 512,
      // API Gateway waits ten seconds for an authorizer.
      timeout: Duration.seconds(10),
      environment: { [ENV.basicSecret]: secret.secretArn },
    });
    authorizer.addToRolePolicy(
      new PolicyStatement({
        sid: 'ReadPasswords',
        actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
        resources: [secret.secretFullArn ?? `${secret.secretArn}-??????`],
      }),
    );
    grantDecryptOf(secret, authorizer);
    return new HttpLambdaAuthorizer('Basic', authorizer, {
      responseTypes: [HttpLambdaResponseType.SIMPLE],
      resultsCacheTtl: BASIC_CACHE,
    });
  }

  private createFunctionUrl(): string {
    const { url } = new FunctionUrl(this, 'FunctionUrl', {
      function: this.router,
      authType: FunctionUrlAuthType.AWS_IAM,
    });
    // Its slash at the end is there when it is deployed, not yet here.
    return `https://${Fn.select(2, Fn.split('/', url))}`;
  }

  /** Without throttling of its own: a stage would answer 429 before our code could queue a request. */
  private createStage(retention: RetentionDays): HttpStage {
    const destination = new LogGroupLogDestination(createLogGroup(this, 'AccessLog', retention));
    return new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      accessLogSettings: { destination, format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)) },
    });
  }
}

/** @throws Error where one of them cannot sign with IAM. */
function principalsOf(administrators: readonly NexusCaller[] = []): readonly string[] {
  const principals = administrators.map(({ principal }) => principal);
  const other = principals.find((principal) => !principal.startsWith('iam:'));
  if (other === undefined) return principals;
  throw new Error(
    `"${other}" cannot be an administrator of a gateway: operations are managed with AWS signatures; name NexusCaller.role() or NexusCaller.iam()`,
  );
}
