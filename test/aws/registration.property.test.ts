import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRegistration } from '../../src/aws/registration.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { ServiceContract } from '../../src/nexus/message.ts';
import { isSameContract, removedOperations } from '../../src/router/contract.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { type DeployOptions, SimulatedStack, type Template } from './simulated-stack.ts';

const NAMES = ['aa', 'bb', 'cc'];
const IDS = ['EntryOne', 'EntryTwo'];

/** Operations by number of version, each bit one of them. */
function servicesOf(version: number): ServiceContract[] {
  return [{ name: 's', operations: ['a', 'b', 'c'].filter((_, bit) => version & (1 << bit)) }];
}

/** One endpoint in a template. */
interface Declared {
  readonly id: string;
  readonly endpoint: string;
  readonly version: number;
  readonly allowBreakingChange: boolean;
  readonly gated: boolean;
}

function templateOf(endpoints: readonly Declared[]): Template {
  const template: Record<string, object> = {};
  for (const { id, endpoint, version, allowBreakingChange, gated } of endpoints) {
    const common = {
      tableName: 'T',
      endpoint,
      versionArn: `arn:aws:lambda:r:1:function:f:${version}`,
      allowBreakingChange: String(allowBreakingChange),
    };
    if (gated) template[`Gate${id}`] = { ...common, kind: 'gate' };
    template[id] = {
      ...common,
      kind: 'entry',
      namespace: 'default',
      taskQueue: `queue-${version}`,
      callers: [],
      settings: '{}',
      functionArn: 'arn:aws:lambda:r:1:function:f:live',
    };
  }
  return template;
}

const declared: fc.Arbitrary<Declared> = fc.record({
  id: fc.constantFrom(...IDS),
  endpoint: fc.constantFrom(...NAMES),
  version: fc.integer({ min: 1, max: 7 }),
  allowBreakingChange: fc.boolean(),
  gated: fc.boolean(),
});

const deployOptions: fc.Arbitrary<DeployOptions> = fc.record({
  fails: fc.boolean(),
  repeats: fc.boolean(),
  losesAnswers: fc.subarray(IDS),
});

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('deploy' as const),
      stack: fc.nat(1),
      endpoints: fc.uniqueArray(declared, { selector: ({ id }) => id, minLength: 1, maxLength: 2 }),
      options: fc.option(deployOptions, { nil: {}, freq: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), stack: fc.nat(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('write by hand' as const, 'remove by hand' as const, 'describe' as const),
      endpoint: fc.constantFrom(...NAMES),
    }),
  },
);

function setUp() {
  const store = openEphemeralStore();
  const registry = createSqliteEndpointRegistry(store.db, new ManualClock());
  const handler = createRegistration({
    registry: () => registry,
    readContract: async (arn) => servicesOf(Number(arn.split(':').at(-1))),
    log: recordingLogger().logger,
  });
  const stacks = [new SimulatedStack('First', handler), new SimulatedStack('Second', handler)];
  return { store, registry, stacks };
}

const stackOf = ({ owner = '' }: Endpoint) => owner.replace(/^.*\/|#.*$/g, '');
const byName = (endpoints: readonly Endpoint[]) => new Map(endpoints.map((one) => [one.name, one]));

/** What a deploy that was taken back leaves as it was. */
function withoutVersions(endpoints: readonly Omit<Endpoint, 'version' | 'createdAt' | 'lastModifiedAt'>[]) {
  return endpoints.map(({ name, description, target, services, owner }) => {
    const operations = services.flatMap((service) => service.operations).sort();
    return { name, description, target, operations, owner };
  });
}

it('leaves what is another’s alone, takes a failed deploy back whole, and its entries with a stack', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { store, registry, stacks } = setUp();
      for (const one of steps) {
        const before = byName(await registry.list());
        if (one.do === 'deploy' || one.do === 'delete') {
          const stack = stacks[one.stack]!;
          const ofOthers = [...before.values()].filter((endpoint) => stackOf(endpoint) !== stack.name);
          const own = [...before.values()].filter((endpoint) => stackOf(endpoint) === stack.name);
          if (one.do === 'delete') {
            await stack.delete();
            expect(await registry.list()).toEqual(ofOthers);
            continue;
          }
          const reason = await deploy(stack, one.endpoints, one.options);
          const after = byName(await registry.list());
          expect([...after.values()].filter((endpoint) => stackOf(endpoint) !== stack.name)).toEqual(ofOthers);
          const ownAfter = [...after.values()].filter((endpoint) => stackOf(endpoint) === stack.name);
          if (reason !== undefined) expect(withoutVersions(ownAfter)).toEqual(withoutVersions(own));
          else {
            expect(withoutVersions(ownAfter)).toEqual(withoutVersions(expected(stack, one.endpoints, before)));
            for (const { endpoint, allowBreakingChange } of one.endpoints) {
              if (!allowBreakingChange) expectNothingLost(before.get(endpoint), after.get(endpoint)!);
            }
          }
          if (mustSucceed(stack, one.endpoints, { before, options: one.options })) expect(reason).toBeUndefined();
        } else {
          const stored = before.get(one.endpoint);
          const target = { namespace: 'by', taskQueue: 'hand' };
          if (one.do === 'write by hand' && !stored) {
            await registry.create({ name: one.endpoint, target, services: servicesOf(7) });
          } else if (one.do === 'remove by hand' && stored && !stored.owner) {
            await registry.delete(stored.name, stored.version);
          } else if (one.do === 'describe' && stored) {
            await registry.update({ ...stored, description: `of version ${stored.version}` }, stored.version);
          }
        }
      }
      store.close();
    }),
    { numRuns: 300 },
  );
});

/** A resource whose creation failed by its answer alone stays behind until it is created again: see the test of that. */
async function deploy(stack: SimulatedStack, endpoints: readonly Declared[], options: DeployOptions) {
  const losesAnswers = (options.losesAnswers ?? []).filter((id) => stack.resources.has(id));
  return stack.deploy(templateOf(endpoints), { ...options, losesAnswers });
}

/** What the registry holds of a stack after a deploy. */
function expected(stack: SimulatedStack, endpoints: readonly Declared[], before: ReadonlyMap<string, Endpoint>) {
  return endpoints
    .map(({ id, endpoint, version }) => ({
      name: endpoint,
      ...(before.get(endpoint)?.description !== undefined && { description: before.get(endpoint)!.description! }),
      target: { namespace: 'default', taskQueue: `queue-${version}` },
      services: servicesOf(version),
      owner: `${stack.stackId.replace(/\/[^/]*$/, '')}#${id}`,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function expectNothingLost(before: Endpoint | undefined, after: Endpoint) {
  if (before === undefined) return;
  const isWayBack = isSameContract(before.previousServices ?? [], after.services);
  if (!isWayBack) expect(removedOperations(before.services, after.services)).toEqual([]);
}

interface Circumstances {
  readonly before: ReadonlyMap<string, Endpoint>;
  readonly options: DeployOptions;
}

/** Each name is free or already this very resource's, and nothing else is in the way. */
function mustSucceed(stack: SimulatedStack, endpoints: readonly Declared[], { before, options }: Circumstances) {
  const names = new Set(endpoints.map(({ endpoint }) => endpoint));
  return (
    !options.fails &&
    !options.losesAnswers?.length &&
    names.size === endpoints.length &&
    endpoints.every(({ id, endpoint, allowBreakingChange }) => {
      const owner = before.get(endpoint)?.owner;
      const isOwn = owner?.endsWith(`/${stack.name}#${id}`) ?? false;
      return !before.has(endpoint) || (isOwn && allowBreakingChange);
    })
  );
}
