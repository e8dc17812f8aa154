import { Annotations, ArnFormat, CfnOutput, CustomResource, Stack, Token } from 'aws-cdk-lib';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { EntryProperties, GateProperties } from '../src/aws/contract.ts';
import type { EndpointSettings } from '../src/router/settings.ts';
import type { EndpointOptions, NexusEndpointProps } from './endpoint-props.ts';
import { NexusCaller } from './nexus-caller.ts';
import { NexusFunction } from './nexus-function.ts';
import { REGISTRATION_TIMEOUT, Registration } from './registration.ts';

/** What an endpoint's entry says of what else it uses: queues, and the table of answers. */
export type DeliveryProperties = Pick<
  EntryProperties,
  'queued' | 'promotable' | 'absorbFailures' | 'queues' | 'allowedCallbacks' | 'deduplicate'
>;

/** The handler as the registry and the contract know it. */
export interface Handler {
  /** What is invoked. */
  readonly functionArn: string;
  /** What the contract is read from. */
  readonly versionArn: string;
  /** ARNs of all that the contract may be read from, over the deploys to come. */
  readonly askable: readonly string[];
}

export function handlerOf(handler: EndpointOptions['handler']): Handler {
  if (handler instanceof NexusFunction) {
    return {
      functionArn: handler.alias.functionArn,
      versionArn: handler.currentVersion.functionArn,
      // Its number is another one with each deploy.
      askable: [`${handler.functionArn}:*`],
    };
  }
  const { functionArn } = handler;
  return { functionArn, versionArn: functionArn, askable: [functionArn] };
}

/** Whether a function is known at synth to be of another account. */
export function isForeign(scope: Construct, functionArn: string): boolean {
  if (Token.isUnresolved(functionArn)) return false;
  const stack = Stack.of(scope);
  return stack.splitArn(functionArn, ArnFormat.COLON_RESOURCE_NAME).account !== stack.account;
}

/** A function of another account takes our word only if its own policy says so, and that one we cannot write. */
function sayForeignGrants(scope: Construct, name: string, functionArn: string, grants: readonly ForeignGrant[]): void {
  if (!isForeign(scope, functionArn)) return;
  const { account } = Stack.of(scope).splitArn(functionArn, ArnFormat.COLON_RESOURCE_NAME);
  for (const { id, who, role } of grants) {
    new CfnOutput(scope, id, {
      description: `To be run in account ${account}: lets the ${who} of endpoint ${name}`,
      value:
        `aws lambda add-permission --function-name ${functionArn} --statement-id nexus-${name}-${id} ` +
        `--action lambda:InvokeFunction --principal ${role.roleArn}`,
    });
  }
}

interface ForeignGrant {
  readonly id: string;
  readonly who: string;
  readonly role: IRole;
}

/** Writes the entry at deploy time, after the contract has let the alias move. */
export function registerEndpoint(
  scope: Construct,
  props: EndpointOptions & Pick<NexusEndpointProps, 'gateway' | 'name'>,
  settings: EndpointSettings,
  deliveryProperties: DeliveryProperties = {},
): CustomResource {
  const { gateway, name, namespace = 'default', taskQueue, description, allowBreakingChange = false } = props;
  const handler = handlerOf(props.handler);
  const registration = Registration.of(scope, gateway.tableArn);
  registration.mayAsk(handler.askable);
  sayForeignGrants(scope, name, handler.functionArn, [
    { id: 'GrantRouter', who: 'router invoke the handler', role: gateway.routerRole },
    { id: 'GrantDeploy', who: 'deploy ask the handler for the contract', role: registration.role },
  ]);
  const common = {
    tableName: gateway.tableName,
    endpoint: name,
    versionArn: handler.versionArn,
    allowBreakingChange: allowBreakingChange ? ('true' as const) : ('false' as const),
  };
  const entry = new CustomResource(scope, 'Entry', {
    serviceToken: registration.serviceToken,
    resourceType: 'Custom::NexusEndpoint',
    serviceTimeout: REGISTRATION_TIMEOUT,
    properties: {
      ...common,
      kind: 'entry',
      namespace,
      taskQueue,
      ...(description !== undefined && { description }),
      callers: (props.callers ?? [NexusCaller.basic(name), NexusCaller.anyIam()]).map(({ principal }) => principal),
      settings: JSON.stringify(settings),
      ...deliveryProperties,
      functionArn: handler.functionArn,
    } satisfies EntryProperties,
  });
  if (props.handler instanceof NexusFunction) {
    const gate = new CustomResource(scope, 'ContractGate', {
      serviceToken: registration.serviceToken,
      resourceType: 'Custom::NexusContractGate',
      serviceTimeout: REGISTRATION_TIMEOUT,
      properties: { ...common, kind: 'gate' } satisfies GateProperties,
    });
    props.handler.alias.node.addDependency(gate);
  } else {
    Annotations.of(scope).addInfo(
      `the handler of endpoint ${name} is no NexusFunction of this app: its contract is checked when the endpoint is written, and not before its alias moves`,
    );
  }
  return entry;
}
