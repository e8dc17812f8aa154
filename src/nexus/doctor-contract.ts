import type { ServiceContract } from './message.ts';

/*
 * What `nexus-lambda doctor` and the handlers that it examines agree on. Handlers outlive the command that was installed
 * with them: members may be added, and none may change its meaning.
 */

/** The service that every handler serves besides the user's own. No contract lists it. */
export const DOCTOR_SERVICE = 'nexus-lambda.doctor';

/** Says what the handler is, and what it sees of Temporal. Its input is none. */
export const CHECK_OPERATION = 'check';

/** Starts a workflow with the caller's callback, as a workflow-backed operation does; where the handler has Temporal. */
export const RELAY_OPERATION = 'relay';

/** Type of the workflow that {@link RELAY_OPERATION} starts. No worker has it: the doctor itself completes it. */
export const RELAY_WORKFLOW_TYPE = 'nexus-lambda-doctor';

/** Any task queue that the doctor uses begins with this, so that it can keep no worker of somebody else's busy. */
export const DOCTOR_QUEUE_PREFIX = 'nexus-lambda-doctor-';

/** Result of {@link CHECK_OPERATION}. */
export interface CheckResult {
  /** Version of nexus-lambda in the handler. */
  readonly nexusLambda: string;
  readonly services: readonly ServiceContract[];
  /** Name of the Lambda function; absent where it is none. */
  readonly functionName?: string;
  /** Absent where the handler was given no Temporal. */
  readonly temporal?: HandlerTemporal;
}

/** Temporal as the handler is set up to use it. */
export interface HandlerTemporal extends TemporalReach {
  readonly taskQueue: string;
}

/** What one side sees of a Temporal server. Holds no secret. */
export interface TemporalReach {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;
  readonly tls: boolean;
  /** How this side says who it is. */
  readonly authentication: 'none' | 'api-key' | 'certificate';
  /** Absent where the server did not answer. */
  readonly serverVersion?: string;
  /** Absent where all is well. */
  readonly problem?: TemporalProblem;
}

/** Why a Temporal server cannot be used. */
export interface TemporalProblem {
  /** What was being done: fetching the credentials, the first call, or asking for the namespace. */
  readonly step: 'credentials' | 'connect' | 'namespace';
  /** Status code of gRPC; absent where it did not come to a call. */
  readonly code?: number;
  readonly message: string;
}

/** Input of {@link RELAY_OPERATION}. */
export interface RelayInput {
  /** Begins with {@link DOCTOR_QUEUE_PREFIX}. */
  readonly taskQueue: string;
}
