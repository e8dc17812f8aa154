import { type Claimant, stackWithoutUuid } from './entry-owner.ts';
import type { GivenProperties } from './registration-properties.ts';

/** What the provider framework of the CDK hands on of a request of CloudFormation: the members that are used. */
export interface RegistrationEvent {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  readonly StackId: string;
  readonly LogicalResourceId: string;
  /** Absent for a Create. */
  readonly PhysicalResourceId?: string;
  readonly ResourceProperties: GivenProperties;
  /** Of an Update only. */
  readonly OldResourceProperties?: GivenProperties;
}

/** Where an update leads, seen from the version before. */
export type VersionStep = 'newer' | 'same' | 'older';

/**
 * Which version of its function an update leads to, seen from the one before. A deploy publishes a version with a higher
 * number each time, so only a rollback leads to an older one.
 */
export function versionStep({
  RequestType,
  ResourceProperties,
  OldResourceProperties,
}: RegistrationEvent): VersionStep {
  if (RequestType !== 'Update') return 'newer';
  const [wanted, left] = [ResourceProperties, OldResourceProperties].map((properties) =>
    /^(.*):(\d+)$/.exec(String(properties?.versionArn)),
  );
  if (wanted == null || left == null || wanted[1] !== left[1]) return 'newer';
  if (wanted[2] === left[2]) return 'same';
  return Number(wanted[2]) < Number(left[2]) ? 'older' : 'newer';
}

/** Whose entry the resource of an event writes. */
export function claimantOf({ StackId, LogicalResourceId }: RegistrationEvent): Required<Claimant> {
  return { stack: stackWithoutUuid(StackId), logicalId: LogicalResourceId };
}
