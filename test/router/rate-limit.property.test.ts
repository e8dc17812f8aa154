import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryResult } from '../../src/router/gate.ts';
import { createRateGate } from '../../src/router/rate-gate.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';
import { type Fate, type FleetOptions, NOW, randomOf, SimulatedFleet } from './simulated-fleet.ts';

const ENVIRONMENTS = 50;

interface Load {
  readonly seconds: number;
  /** Starts a second, over all environments. */
  readonly demand: number;
  /** Whether nothing comes now and then, until all of a burst is there again. */
  readonly pauses?: boolean;
}

interface PlayOptions extends Omit<FleetOptions, 'createGate' | 'environments'> {
  /** How a start ends that was let through. Default: the handler's answer says that it works. */
  readonly ends?: () => Exclude<DeliveryResult['kind'], 'failed'>;
}

/** Plays a load, and returns when each start came that reached its handler, in milliseconds since the beginning. */
async function play(options: PlayOptions, { seconds, demand, pauses = false }: Load) {
  const { random, ends = () => 'succeeded' } = options;
  const fleet = new SimulatedFleet({ ...options, environments: ENVIRONMENTS, createGate: createRateGate });
  const admitted: number[] = [];
  const starts: Promise<void>[] = [];
  let came = 0;
  let elapsed = 0;
  while (elapsed < seconds * 1_000) {
    const pauseMs = pauses && random() < 0.01 ? random() * 3_000 : (-Math.log(1 - random()) * 4_000) / demand;
    await fleet.advance(Math.floor(pauseMs));
    elapsed = fleet.now - NOW;
    for (let n = 0; n < 4; n++) {
      came++;
      const cameAt = elapsed;
      const start = fleet.start(Math.floor(random() * ENVIRONMENTS));
      starts.push(
        start.then(async (admission) => {
          if (admission.kind === 'refused') return;
          const kind = ends();
          if (kind !== 'not-reached') admitted.push(cameAt);
          await admission.ended({ kind });
        }),
      );
    }
  }
  await fleet.advance(10_000);
  await Promise.all(starts);
  fleet.close();
  return { admitted: admitted.sort((a, b) => a - b), came, elapsed, writes: fleet.writes };
}

/** The most by which any window has more starts than so many a second, 0 or less where none has. */
function excess(times: readonly number[], { perSecond, burst, slackMs = 0 }: Record<string, number>): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let last = 0; last < times.length; last++) {
    for (let first = 0; first <= last; first++) {
      const windowMs = times[last]! - times[first]! + slackMs;
      most = Math.max(most, last - first + 1 - ((perSecond! * windowMs) / 1_000 + burst!));
    }
  }
  return most;
}

const settings = fc.record(
  {
    requestsPerSecond: fc.oneof(fc.double({ min: 0.1, max: 20, noNaN: true }), fc.integer({ min: 1, max: 3_000 })),
    burst: fc.integer({ min: 1, max: 500 }),
  },
  { requiredKeys: ['requestsPerSecond'] },
) as fc.Arbitrary<EndpointSettings & { readonly requestsPerSecond: number }>;

const boundOf = ({
  requestsPerSecond: perSecond,
  burst,
}: EndpointSettings & { readonly requestsPerSecond: number }) => ({
  perSecond,
  burst: burst ?? Math.max(1, Math.floor(perSecond)),
});

/** Starts of a run: what is looked at is each pair of them. */
const STARTS = 800;

function loadOf(perSecond: number, factor: number): Load {
  const demand = Math.max(5, perSecond * factor);
  return { demand, seconds: STARTS / demand, pauses: true };
}

describe('a rate limit over 50 environments', () => {
  it('lets no more through in any window of any length than limit × window + burst', async () => {
    const arbitrary = fc.record({
      settings,
      seed: fc.integer(),
      factor: fc.double({ min: 0.5, max: 20, noNaN: true }),
      slowestMs: fc.constantFrom(0, 5, 100),
      lossy: fc.boolean(),
      // Such as where most are promoted, or given back more than Lambda passes on; and where Lambda has no room for some.
      unjudged: fc.constantFrom(0, 0.5),
      notReached: fc.constantFrom(0, 0.3),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ settings, seed, factor, slowestMs, lossy, unjudged, notReached }) => {
        const random = randomOf(seed);
        const latencyMs = () => Math.floor(random() * slowestMs);
        const fate = (): Fate => (lossy && random() < 0.1 ? 'repeated' : 'made');
        const ends = () => (random() < notReached ? 'not-reached' : random() < unjudged ? 'unjudged' : 'succeeded');
        const bound = boundOf(settings);
        const { admitted } = await play({ settings, random, latencyMs, fate, ends }, loadOf(bound.perSecond, factor));
        expect(admitted.length).toBeGreaterThan(0);
        expect(excess(admitted, bound)).toBeLessThanOrEqual(1e-6);
      }),
      { numRuns: 30 },
    );
  });

  it('counts by the clocks of the environments: where they differ, a window is longer by as much', async () => {
    const arbitrary = fc.record({ settings, seed: fc.integer(), differMs: fc.integer({ min: 1, max: 500 }) });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ settings, seed, differMs }) => {
        const random = randomOf(seed);
        const skewMs = (environment: number) => Math.floor((environment / (ENVIRONMENTS - 1)) * differMs);
        const bound = boundOf(settings);
        const { admitted } = await play({ settings, random, skewMs }, loadOf(bound.perSecond, 5));
        expect(excess(admitted, { ...bound, slackMs: differMs })).toBeLessThanOrEqual(1e-6);
      }),
      { numRuns: 15 },
    );
  });

  // With a burst of one, a token waits for the next start to come, and the next token with it: that is less than 90 %.
  it.each([2, 10, 100, 400])(
    'lets at least 90 % of it through where all ask for more than %i a second',
    async (perSecond) => {
      const arbitrary = fc.record({ seed: fc.integer(), factor: fc.double({ min: 2, max: 10, noNaN: true }) });
      await fc.assert(
        fc.asyncProperty(arbitrary, async ({ seed, factor }) => {
          const random = randomOf(seed);
          const latencyMs = () => Math.floor(random() * 10);
          const seconds = Math.max(10, 40 / perSecond);
          const load = { seconds, demand: Math.max(40, perSecond * factor) };
          const settings = { requestsPerSecond: perSecond };
          const { admitted, elapsed } = await play({ settings, random, latencyMs }, load);
          expect(admitted.length).toBeGreaterThanOrEqual(0.9 * ((perSecond * elapsed) / 1_000 + perSecond) - 1);
        }),
        { numRuns: 4 },
      );
    },
  );
});
