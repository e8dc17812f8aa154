import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { Provider } from 'aws-cdk-lib/custom-resources';
import { Construct } from 'constructs';
import { createLogGroup, createLoggingRole, DEFAULT_LOG_RETENTION } from './function-role.ts';
import { createOwnFunction, type OwnFunction } from './own-function.ts';

/** The custom resource fails when it has not answered within this time, instead of CloudFormation's hour. */
export const REGISTRATION_TIMEOUT = Duration.minutes(3);

/** The functions behind the custom resources of one gateway's endpoints in one stack. */
export class Registration extends Construct {
  /** Those of this stack, made when they are first asked for. */
  static of(scope: Construct, tableArn: string): Registration {
    const stack = Stack.of(scope);
    const id = 'NexusRegistration';
    const existing = stack.node.tryFindChild(id) as Registration | undefined;
    const registration = existing ?? new Registration(stack, id);
    registration.mayWrite(tableArn);
    return registration;
  }

  readonly serviceToken: string;
  /** Of the function that asks handlers for their contract. */
  readonly role: Role;
  private readonly handler: OwnFunction;
  private readonly tables = new Set<string>();
  private readonly askable = new Set<string>();

  private constructor(scope: Construct, id: string) {
    super(scope, id);
    this.handler = createOwnFunction(this, 'Function', {
      name: 'registration',
      description: 'Writes the entries of Nexus endpoints, and checks contracts before a version serves',
      memorySize: 512,
      timeout: Duration.minutes(2),
    });
    this.role = this.handler.role;
    const frameworkLogGroup = createLogGroup(this, 'FrameworkLog', DEFAULT_LOG_RETENTION);
    const provider = new Provider(this, 'Provider', {
      onEventHandler: this.handler,
      logGroup: frameworkLogGroup,
      frameworkOnEventRole: createLoggingRole(this, 'FrameworkRole', { logGroup: frameworkLogGroup, inVpc: false }),
    });
    this.serviceToken = provider.serviceToken;
  }

  /** Lets it ask the versions of a function for their operations. Endpoints may share a function. */
  mayAsk(functionArns: readonly string[]): void {
    const resources = functionArns.filter((arn) => !this.askable.has(arn));
    if (resources.length === 0) return;
    // By number: names of endpoints that differ in a hyphen would be one Sid.
    const sid = `AskHandler${this.askable.size + 1}`;
    for (const arn of resources) this.askable.add(arn);
    this.handler.addToRolePolicy(new PolicyStatement({ sid, actions: ['lambda:InvokeFunction'], resources }));
  }

  private mayWrite(tableArn: string): void {
    if (this.tables.has(tableArn)) return;
    this.tables.add(tableArn);
    this.handler.addToRolePolicy(
      new PolicyStatement({
        sid: `WriteEndpoints${this.tables.size}`,
        actions: ['dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
        resources: [tableArn],
      }),
    );
  }
}
