import type { RolePolicy, Statement } from './iam.ts';

/** One action that a role may take on one resource. */
export interface Permission {
  readonly role: string;
  readonly action: string;
  readonly resource: string;
}

/** A policy with no more than one action and one resource in each of its statements. */
interface FlatPolicy extends RolePolicy {
  readonly statements: readonly (Statement & { readonly Action: string; readonly Resource: string })[];
}

/** All that the policies allow, named as the app names its constructs. What two of them allow is there twice. */
export function permissionsIn(policies: readonly RolePolicy[]): Permission[] {
  return policies.map(flat).flatMap((policy) => policy.statements.map((statement) => permissionOf(policy, statement)));
}

/** The policy that allows this, and what it is without it. */
export function policyOf(permission: Permission, policies: readonly RolePolicy[]) {
  for (const policy of policies) {
    const { statements, ...rest } = flat(policy);
    const others = statements.filter((statement) => !isSame(permissionOf(policy, statement), permission));
    if (others.length < statements.length) return { policy, without: { ...rest, statements: others } };
  }
  throw new Error(`nothing allows ${JSON.stringify(permission)}`);
}

function flat(policy: RolePolicy): FlatPolicy {
  return {
    ...policy,
    statements: policy.statements.flatMap((statement) =>
      [statement.Action]
        .flat()
        .flatMap((Action) => [statement.Resource].flat().map((Resource) => ({ ...statement, Action, Resource }))),
    ),
  };
}

function permissionOf({ role }: RolePolicy, { Action, Resource }: FlatPolicy['statements'][number]): Permission {
  return { role: constructName(role), action: Action, resource: constructName(Resource) };
}

function isSame(one: Permission, other: Permission): boolean {
  return one.role === other.role && one.action === other.action && one.resource === other.resource;
}

/** `Access-OrdersA9B65338-5D3D0CE2AD0A0` is the function `Orders`: what the CDK and CloudFormation add is no news. */
function constructName(physical: string): string {
  return physical
    .replace(/^arn:aws:[^:]+:[^:]*:\d*:/, '')
    .replace(
      /(?:\/aws\/cloudformation\/(?:Access|Queued)\/|(?:Access|Queued)-)(\w+?)[0-9A-F]{8}(?:-[\w-]+)?(?=[:/]|$)/,
      '$1',
    )
    .replace(/^[0-9a-f]+\/\*\/\*\/nexus/, 'nexus')
    .replace(/^key\/[\w-]+$/, 'key')
    .replace(/^event-source-mapping:[\w-]+$/, 'event-source-mapping');
}
