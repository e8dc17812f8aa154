import type { ProtoFailure as SdkFailure } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { ProtoFailure } from '../nexus/proto-failure.ts';

const { Failure } = proto.temporal.api.failure.v1;

/**
 * The SDK's failure message as protojson. protobufjs has a protojson of its own, but which of its installed copies
 * belongs to `@temporalio/proto` is not ours to import; its `toObject` differs from protojson in a Failure's one
 * Duration only.
 */
export function failureToJson(failure: SdkFailure): ProtoFailure {
  return durationsAsText(
    Failure.toObject(Failure.fromObject(failure), { longs: String, enums: String, bytes: String }),
  );
}

interface Duration {
  readonly seconds?: string;
  readonly nanos?: number;
}

function durationsAsText(failure: Record<string, unknown>): ProtoFailure {
  const {
    cause,
    applicationFailureInfo: info,
    ...rest
  } = failure as {
    cause?: Record<string, unknown>;
    applicationFailureInfo?: NonNullable<ProtoFailure['applicationFailureInfo']> & { nextRetryDelay?: unknown };
  };
  const { nextRetryDelay, ...others } = info ?? {};
  return {
    ...rest,
    ...(cause && { cause: durationsAsText(cause) }),
    ...(info && {
      applicationFailureInfo: {
        ...others,
        ...(nextRetryDelay !== undefined && { nextRetryDelay: durationText(nextRetryDelay as Duration) }),
      },
    }),
  };
}

function durationText({ seconds = '0', nanos = 0 }: Duration): string {
  return nanos === 0 ? `${seconds}s` : `${seconds}.${String(nanos).padStart(9, '0')}s`;
}
