import type { TypeInfo } from 'nexus-rpc';
import type { Payload } from '../nexus/payload.ts';
import type { ProtoFailure } from '../nexus/proto-failure.ts';

/** Values and errors to and from what the wire carries. */
export interface DataConversion {
  /** Fails with BAD_REQUEST where the input cannot be what the caller meant. */
  decodeInput(payload: Payload, type: TypeInfo | undefined): Promise<unknown>;
  encodeOutput(value: unknown, type: TypeInfo | undefined): Promise<Payload>;
  /** Total: every thrown value becomes a failure. */
  encodeError(error: unknown): Promise<ProtoFailure>;
}
