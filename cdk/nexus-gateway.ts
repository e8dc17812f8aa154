import { ArnFormat, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { HttpApi, HttpMethod, type HttpStage, type IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable, type IRole, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { FunctionUrl, FunctionUrlAuthType, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { ENV, TABLE } from '../src/aws/contract.ts';
import { createLoggedStage } from './access-log.ts';
import { createAuthorizers } from './authorizers.ts';
import { CollocatedEndpoint } from './collocated-endpoint.ts';
import { Deduplication } from './deduplication.ts';
import { DurableOperations } from './durable-operations.ts';
import type { EndpointOptions, EndpointProps, INexusGateway } from './endpoint-props.ts';
import { grantFlowControl } from './flow-control.ts';
import { DEFAULT_LOG_RETENTION } from './function-role.ts';
import { type NexusGatewayAttributes, type NexusGatewayProps, principalsOf } from './gateway-props.ts';
import { Monitoring } from './monitoring.ts';
import { NexusEndpoint } from './nexus-endpoint.ts';
import { createOwnFunction, type OwnFunction } from './own-function.ts';

/** What an HTTP API waits for an integration at most (AWS quota), and the router's function with it. */
const INTEGRATION_TIMEOUT = Duration.seconds(30);

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
  readonly router: OwnFunction;
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
    const { vpc, vpcSubnets, securityGroups, logRetention } = props;
    this.router = createOwnFunction(this, 'Router', {
      ...{ name: 'router', vpc, vpcSubnets, securityGroups, logRetention },
      description: 'Routes Nexus requests to the handlers of their endpoints',
      // It waits for handlers, and only its cold start is work: the AWS clients load in a fifth of a second.
      memorySize: 1024,
      timeout: INTEGRATION_TIMEOUT,
      environment: {
        [ENV.table]: this.tableName,
        ...(administrators.length > 0 && { [ENV.administrators]: administrators.join(' ') }),
      },
    });
    this.routerRole = this.router.role;
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
    this.stage = createLoggedStage(this, this.api, logRetention ?? DEFAULT_LOG_RETENTION);
    this.url = this.stage.url.replace(/\/$/, '');
    this.authorizers = createAuthorizers(this, props);
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

  private createFunctionUrl(): string {
    const { url } = new FunctionUrl(this, 'FunctionUrl', {
      function: this.router,
      authType: FunctionUrlAuthType.AWS_IAM,
    });
    // Its slash at the end is there when it is deployed, not yet here.
    return `https://${Fn.select(2, Fn.split('/', url))}`;
  }
}
