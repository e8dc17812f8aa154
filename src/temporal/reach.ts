import { Connection, type ConnectionOptions, isGrpcServiceError } from '@temporalio/client';
import type { TemporalProblem, TemporalReach } from '../nexus/doctor-contract.ts';

/** A server to be looked at. */
export interface ReachTarget {
  readonly connectionOptions: ConnectionOptions & { readonly address: string };
  readonly namespace: string;
}

/** Milliseconds for both questions together: a server that is there answers within a few. */
export const REACH_MS = 4_000;

/**
 * Asks a Temporal server for its version, and for the namespace. Never rejects: what goes wrong is the result's
 * `problem`. The connection is one of its own, since the client's would hide the reason behind its retries.
 */
export async function reachTemporal(
  { connectionOptions, namespace }: ReachTarget,
  signal: AbortSignal,
): Promise<TemporalReach> {
  const reach = reachOf({ connectionOptions, namespace });
  let connection: Connection | undefined;
  let serverVersion: string | undefined;
  try {
    const opened = Connection.lazy({ ...connectionOptions, interceptors: [] });
    connection = opened;
    const { workflowService } = opened;
    const deadline = Date.now() + REACH_MS;
    const ask = <R>(question: () => Promise<R>) =>
      opened.withDeadline(deadline, () => opened.withAbortSignal(signal, question));
    serverVersion = (await ask(() => workflowService.getSystemInfo({}))).serverVersion;
    await ask(() => workflowService.describeNamespace({ namespace }));
    return { ...reach, serverVersion };
  } catch (error) {
    if (serverVersion === undefined) return { ...reach, problem: problemOf('connect', error) };
    return { ...reach, serverVersion, problem: problemOf('namespace', error) };
  } finally {
    await connection?.close();
  }
}

/** What is known of a server without asking it. */
export function reachOf({ connectionOptions, namespace }: ReachTarget): TemporalReach {
  const { address, tls, apiKey } = connectionOptions;
  const certificate = typeof tls === 'object' && tls !== null && tls.clientCertPair !== undefined;
  return {
    address,
    namespace,
    // As the SDK does: an API key turns it on by itself.
    tls: tls === undefined || tls === null ? apiKey !== undefined : tls !== false,
    authentication: apiKey !== undefined ? 'api-key' : certificate ? 'certificate' : 'none',
  };
}

/** An error of a call as it can be sent on: status and words, no stack. */
export function problemOf(step: TemporalProblem['step'], error: unknown): TemporalProblem {
  if (isGrpcServiceError(error)) return { step, code: error.code, message: error.details };
  return { step, message: error instanceof Error ? error.message : String(error) };
}
