import type { DoctorTemporal } from '../temporal/doctor-temporal.ts';
import type { Deployment } from './deployment.ts';
import { type Finding, HOPS, type Hop, skip } from './finding.ts';
import type { WalkContext } from './walk-context.ts';
import { walkFront } from './walk-front.ts';
import { walkOperation } from './walk-operation.ts';
import { walkTemporal } from './walk-temporal.ts';

/** A finding, and how long it took to come to it. */
export interface TimedFinding extends Finding {
  /** Milliseconds; absent for what was not looked at. */
  readonly ms?: number;
}

/** What a hop cannot be looked at without, the nearest first. */
const NEEDS: Readonly<Record<Hop, readonly Hop[]>> = {
  address: [],
  credentials: ['address'],
  route: ['credentials', 'address'],
  handler: ['route', 'credentials', 'address'],
  'handler-temporal': ['handler', 'route', 'credentials', 'address'],
  temporal: [],
  'nexus-endpoint': ['temporal'],
  'callback-template': ['nexus-endpoint', 'temporal', 'handler', 'route', 'credentials', 'address'],
  call: ['callback-template'],
  'allowed-addresses': ['call', 'callback-template', 'handler-temporal'],
  'way-back': ['allowed-addresses'],
};

/**
 * Walks the hops of an operation and tells each as it is found out: all of {@link HOPS} once, in that order. A hop that
 * needs one that failed is skipped. Throws the signal's reason when that fires; workflows that it has started are ended all the same.
 */
export async function* walk(deployment: Deployment, context: WalkContext): AsyncGenerator<TimedFinding> {
  const { now } = context.deps;
  const found = new Map<Hop, Finding>();
  const temporal = await context.deps.openTemporal();
  let began = now();
  const timed = (finding: Finding): TimedFinding => {
    found.set(finding.hop, finding);
    const ms = now() - began;
    began = now();
    return finding.status === 'skip' ? finding : { ...finding, ms };
  };
  /** In their order, each as soon as it is known that it is not looked at. */
  const missing = (hops: readonly Hop[]) =>
    hops.filter((hop) => !found.has(hop)).map((hop) => timed(skip(hop, notLookedAt(hop, found))));
  try {
    for await (const finding of hops(temporal, deployment, context)) {
      yield* missing(HOPS.slice(0, HOPS.indexOf(finding.hop)));
      yield timed(finding);
    }
    yield* missing(HOPS);
  } finally {
    await temporal?.close();
  }
}

async function* hops(
  temporal: DoctorTemporal | undefined,
  deployment: Deployment,
  context: WalkContext,
): AsyncGenerator<Finding> {
  const check = yield* walkFront(deployment, context);
  const calling = yield* walkTemporal(temporal, deployment, context);
  if (temporal === undefined || check === undefined || calling === undefined) return;
  yield* walkOperation({ temporal, calling, check, deployment }, context);
}

function notLookedAt(hop: Hop, found: ReadonlyMap<Hop, Finding>): string {
  const failed = NEEDS[hop].find((needed) => found.get(needed)?.status === 'fail');
  const missing = failed ?? NEEDS[hop].find((needed) => found.get(needed)?.status === 'skip');
  return missing === undefined ? 'not looked at' : `not looked at without "${missing}"`;
}
