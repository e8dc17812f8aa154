/**
 * A value as Temporal carries it: bytes, and metadata that says how to read them.
 *
 * Same shape as `temporal.api.common.v1.Payload` in `@temporalio/proto`, without loading it.
 */
export interface Payload {
  readonly metadata: Readonly<Record<string, Uint8Array>>;
  readonly data: Uint8Array;
}
