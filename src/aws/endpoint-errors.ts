import {
  type CancellationReason,
  ConditionalCheckFailedException,
  ResourceNotFoundException,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import { fullVersion } from '../router/endpoint-override.ts';
import { EndpointNotFoundError, EndpointVersionError } from '../router/errors.ts';
import type { Endpoint, EndpointSpec } from '../router/ports.ts';

/** There is no such table in this account and region. */
export class TableNotFoundError extends Error {
  override readonly name = 'TableNotFoundError';

  constructor(tableName: string, options?: ErrorOptions) {
    super(`there is no table ${tableName} of endpoints; deploy the stack of its NexusGateway first`, options);
  }
}

/** An item of the table is none that this version reads: of an endpoint, or of what is set of one at run time. */
export class UnreadableEndpointError extends Error {
  override readonly name = 'UnreadableEndpointError';
}

/** Whether a transaction failed by its first condition, that nothing is there. */
export function isNameTaken(error: unknown): boolean {
  return failedConditions(error)[0] !== undefined;
}

/** Why the condition on the version of a spec did not hold, in a transaction the first; `undefined` for any other error. */
export function whyUnchanged(error: unknown, name: string, version: number): Error | undefined {
  const failed = error instanceof ConditionalCheckFailedException ? error : failedConditions(error)[0];
  if (failed === undefined) return undefined;
  if (failed.Item === undefined) return new EndpointNotFoundError(name);
  return new EndpointVersionError(name, version, Number(failed.Item.version?.N));
}

/** The same for a transaction of two conditions: on the version of the spec, and on that of the override. */
export function whyNotOverridden(error: unknown, read: Endpoint): Error | undefined {
  const [spec, override] = failedConditions(error);
  if (spec === undefined && override === undefined) return undefined;
  if (spec !== undefined && spec.Item === undefined) return new EndpointNotFoundError(read.name);
  const specVersion = spec === undefined ? read.version : Number(spec.Item?.version?.N);
  const overrideVersion = override === undefined ? read.override?.version : Number(override.Item?.version?.N ?? 0);
  return new EndpointVersionError(read.name, fullVersion(read), specVersion + (overrideVersion ?? 0));
}

/** By the place of its item in the transaction. */
function failedConditions(error: unknown): readonly (CancellationReason | undefined)[] {
  if (!(error instanceof TransactionCanceledException)) return [];
  const reasons = error.CancellationReasons ?? [];
  return reasons.map((reason) => (reason.Code === 'ConditionalCheckFailed' ? reason : undefined));
}

/** The error of DynamoDB, or one that says more. */
export function explained(error: unknown, tableName: string, spec?: EndpointSpec): unknown {
  if (error instanceof ResourceNotFoundException) return new TableNotFoundError(tableName, { cause: error });
  if (spec === undefined || !isTooLarge(error)) return error;
  const kilobytes = Math.ceil(Buffer.byteLength(JSON.stringify(spec)) / 1024);
  return new Error(
    `endpoint "${spec.name}" is too large for an item of DynamoDB, which takes 400 KB: about ${kilobytes} KB, most of it the ` +
      'names of its operations, now and before their last change; divide its services among several endpoints',
    { cause: error },
  );
}

function isTooLarge(error: unknown): boolean {
  const reasons = error instanceof TransactionCanceledException ? error.CancellationReasons : undefined;
  const [reason] = reasons ?? [];
  if (reason?.Code === 'ValidationError') return /item size/i.test(reason.Message ?? '');
  return error instanceof Error && error.name === 'ValidationException' && /item size/i.test(error.message);
}
