import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CIRCUIT_ATTRIBUTES, LIMIT_KEY_PREFIX, TABLE } from '../src/aws/contract.ts';

/** Ids of the statements, for a role that gets them once. */
export interface FlowControlIds {
  readonly limits: string;
  readonly circuits: string;
}

/** What keeps circuits and counts limits: the router of all requests, and a handler of those that a queue brings it. */
export function grantFlowControl(role: IRole, tableArn: string, ids?: FlowControlIds): void {
  const common = { actions: ['dynamodb:UpdateItem'], resources: [tableArn] };
  role.addToPrincipalPolicy(
    new PolicyStatement({
      ...common,
      ...(ids && { sid: ids.limits }),
      // Not the endpoints, which are in the same table.
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${LIMIT_KEY_PREFIX}*`] } },
    }),
  );
  role.addToPrincipalPolicy(
    new PolicyStatement({
      ...common,
      ...(ids && { sid: ids.circuits }),
      // Nothing else of an endpoint: not which function serves it, nor who may call it.
      conditions: {
        'ForAllValues:StringEquals': {
          'dynamodb:Attributes': [TABLE.partitionKey, TABLE.sortKey, ...Object.values(CIRCUIT_ATTRIBUTES)],
        },
      },
    }),
  );
}
