/** Who claims an endpoint's name: a resource of a stack, or the stack alone for a gate, which is not the entry's resource. */
export interface Claimant {
  /** ARN of the stack, without the UUID at its end. */
  readonly stack: string;
  readonly logicalId?: string;
}

/** Where an entry is, for messages. */
export interface EntryPlace {
  readonly tableName: string;
  readonly endpoint: string;
}

/**
 * The stack's ARN up to its name. The UUID behind it is another one when a stack is deleted and made anew, and a table
 * that was retained meanwhile may still hold entries of the first: they are this stack's, since no two stacks of one
 * account and region have one name at a time.
 */
export function stackWithoutUuid(stackId: string): string {
  return /^(arn:[^/]+:stack\/[^/]+)\/[^/]+$/.exec(stackId)?.[1] ?? stackId;
}

/**
 * The `owner` of an entry that a resource writes: the stack and, so that two resources of one stack cannot take each
 * other's entry, the resource's logical ID.
 *
 * A logical ID that changes in a refactoring is therefore another owner, and the deploy fails: CloudFormation creates the
 * resource under its new ID before it deletes the old one, and nothing tells that from two resources that both stay. To
 * let the new one have it would be to let any second one have it.
 */
export function ownerOf({ stack, logicalId }: Required<Claimant>): string {
  return `${stack}#${logicalId}`;
}

/**
 * Why an entry with this `owner` is not the claimant's, and the ways out, as what follows the endpoint's name in a
 * message; `undefined` where it is the claimant's.
 */
export function foreignOwner(
  owner: string | undefined,
  { stack, logicalId }: Claimant,
  { tableName, endpoint }: EntryPlace,
): string | undefined {
  const entry = `the entry "endpoint#${endpoint}" of table ${tableName}`;
  if (owner === undefined) {
    return (
      `exists already and belongs to no stack: somebody wrote ${entry} by hand, and a deploy leaves it as it is; ` +
      'choose another name, or remove that entry and deploy again'
    );
  }
  const { stack: ownerStack, logicalId: ownerLogicalId } = parseOwner(owner);
  if (ownerStack !== stack) {
    return (
      `belongs to ${ownerStack}${ownerLogicalId && ` (resource ${ownerLogicalId})`}, and this is ${stack}; choose ` +
      `another name, or remove the endpoint from that stack (if that stack is gone, remove ${entry}) and deploy again`
    );
  }
  if (logicalId === undefined || logicalId === ownerLogicalId) return undefined;
  return (
    `belongs to resource ${ownerLogicalId} of this stack, and ${logicalId} claims it too; give one of the two another ` +
    `name. If the construct was only moved or renamed, keep its ID with overrideLogicalId('${ownerLogicalId}'), or take ` +
    'the endpoint out in one deploy and put it back in the next'
  );
}

function parseOwner(owner: string): Required<Claimant> {
  const mark = owner.lastIndexOf('#');
  return mark === -1
    ? { stack: owner, logicalId: '' }
    : { stack: owner.slice(0, mark), logicalId: owner.slice(mark + 1) };
}
