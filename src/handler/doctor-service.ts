import { operation, type ServiceHandler, service, serviceHandler } from 'nexus-rpc';
import {
  CHECK_OPERATION,
  type CheckResult,
  DOCTOR_SERVICE,
  RELAY_OPERATION,
  type RelayInput,
} from '../nexus/doctor-contract.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { plainConversion } from './plain-conversion.ts';
import type { TemporalDiagnostics, TemporalSide } from './temporal-side.ts';
import { VERSION } from './version.ts';

const check = { [CHECK_OPERATION]: operation<void, CheckResult>() };
const relay = { [RELAY_OPERATION]: operation<RelayInput, unknown>() };

/** The handler of the service that `nexus-lambda doctor` calls: what this Lambda handler is, and what it can do. */
export function doctorService(
  services: readonly ServiceContract[],
  temporal: TemporalDiagnostics | undefined,
): ServiceHandler {
  const checkHandler = async ({ abortSignal }: { readonly abortSignal: AbortSignal }): Promise<CheckResult> => {
    const { AWS_LAMBDA_FUNCTION_NAME: functionName } = process.env;
    return {
      nexusLambda: VERSION,
      services,
      ...(functionName !== undefined && { functionName }),
      ...(temporal && { temporal: await temporal.reach(abortSignal) }),
    };
  };
  if (temporal === undefined) return serviceHandler(service(DOCTOR_SERVICE, check), { check: checkHandler });
  return serviceHandler(service(DOCTOR_SERVICE, { ...check, ...relay }), {
    check: checkHandler,
    relay: temporal.relay,
  });
}

/**
 * The doctor has no data converter of the user's: what it is told is in clear, and holds nothing of theirs. And what it
 * checks is told without the Temporal client, whose credentials may be what is wrong.
 */
export function forDoctor<T extends { readonly temporal: TemporalSide | undefined }>(
  answering: T,
  operation: string,
): T {
  const { temporal } = answering;
  if (temporal === undefined) return answering;
  const run: TemporalSide['run'] = operation === CHECK_OPERATION ? (_scope, handler) => handler() : temporal.run;
  return { ...answering, temporal: { ...temporal, conversion: plainConversion, run } };
}
