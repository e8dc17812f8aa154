import { setTimeout } from 'node:timers/promises';
import type { DoctorTemporal } from '../temporal/doctor-temporal.ts';
import { askHandler } from './ask-handler.ts';
import { chooseAuth } from './auth.ts';
import { connectTo } from './connect.ts';
import { DoctorUsageError } from './doctor-usage-error.ts';
import { isMissingPackage } from './missing-package.ts';
import { formatAdvice, formatFinding, formatJson, isWell } from './report.ts';
import { parseTarget, shownUrl } from './target.ts';
import { type TimedFinding, walk } from './walk.ts';

/** What `nexus-lambda doctor` examines, and how. */
export interface DoctorOptions {
  readonly url: string;
  readonly endpoint?: string;
  readonly bearer?: string;
  readonly sign: boolean;
  /** Undefined leaves it to the SDK's environment configuration. */
  readonly temporalAddress?: string;
  readonly temporalNamespace?: string;
  /** Of one hop. */
  readonly timeoutMs: number;
  readonly output: 'text' | 'json';
}

/**
 * Walks the hops of an operation and writes what it finds: in text each hop as it is found out. Resolves to whether
 * every hop is well.
 *
 * @throws DoctorUsageError for what cannot be asked for, and the signal's reason when that fires.
 */
export async function runDoctor(
  options: DoctorOptions,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const target = parseTarget(options.url, options.endpoint);
  const auth = chooseAuth(target, {
    sign: options.sign,
    env: process.env,
    ...(options.bearer !== undefined && { bearer: options.bearer }),
  });
  const deps = {
    connect: connectTo,
    ask: askHandler,
    openTemporal: () => openTemporal(options),
    now: () => performance.now(),
    wait: async (ms: number, within: AbortSignal) => setTimeout(ms, undefined, { signal: within }),
  };
  const findings: TimedFinding[] = [];
  const text = options.output === 'text';
  for await (const finding of walk({ target, auth }, { deps, signal, timeoutMs: options.timeoutMs })) {
    findings.push(finding);
    if (text) write(`${formatFinding(finding)}\n`);
  }
  write(text ? `\n${formatAdvice(findings)}\n` : `${formatJson(shownUrl(target), findings)}\n`);
  return isWell(findings);
}

/** What the Temporal hops need; a walk that names no server does without. */
const TEMPORAL_PACKAGES = ['@temporalio/client', '@temporalio/common', '@temporalio/envconfig', '@temporalio/proto'];

async function openTemporal({
  temporalAddress,
  temporalNamespace,
}: DoctorOptions): Promise<DoctorTemporal | undefined> {
  let temporal: typeof import('../temporal/doctor-temporal.ts');
  try {
    temporal = await import('../temporal/doctor-temporal.ts');
  } catch (cause) {
    if (!isMissingPackage(cause)) throw cause;
    if (temporalAddress === undefined && process.env.TEMPORAL_ADDRESS === undefined) return undefined;
    const install = `npm i ${TEMPORAL_PACKAGES.join(' ')}`;
    throw new DoctorUsageError(
      `a Temporal server was named, and not all packages for it are installed; run: ${install}`,
      {
        cause,
      },
    );
  }
  const given = {
    ...(temporalAddress !== undefined && { address: temporalAddress }),
    ...(temporalNamespace !== undefined && { namespace: temporalNamespace }),
  };
  return temporal.openDoctorTemporal(given, process.env);
}
