import { overrideInEffect } from './effective-settings.ts';
import type { OverriddenSetting, OverrideMark, OverrideSpec } from './override.ts';
import type { Endpoint, EndpointSpec, Target } from './ports.ts';
import { type EndpointSettings, settingsProblems } from './settings.ts';

type Name = keyof EndpointSettings;

/** What to do with settings of run time; `null` takes one back, or all of them. */
export type SettingsChange = Readonly<Partial<Record<Name, number | null>>> | null;

/**
 * The override with a change of settings; what has expired is not in it any more. The same object where nothing changes.
 *
 * @throws TypeError where there is no such setting; values are for `checkOverride`
 */
export function withSettings(
  endpoint: Endpoint,
  change: SettingsChange,
  mark: OverrideMark,
  now: number,
): OverrideSpec {
  const { settings, ...others } = current(endpoint, now);
  if (change === null) return { ...others, settings: {} };
  const unknown = settingsProblems(Object.fromEntries(Object.keys(change).map((name) => [name, undefined])));
  if (unknown.length > 0) throw new TypeError(unknown.join('; '));
  const kept = (Object.entries(settings) as [Name, OverriddenSetting][]).filter(
    ([name]) => !Object.hasOwn(change, name),
  );
  const set = Object.entries(change).flatMap(([name, value]) => (value === null ? [] : [[name, { value, ...mark }]]));
  return { ...others, settings: Object.fromEntries([...kept, ...set]) };
}

/** The override with a pause, or without one. */
export function withPause(endpoint: Endpoint, paused: OverrideMark | undefined, now: number): OverrideSpec {
  const { settings } = current(endpoint, now);
  return { settings, ...(paused && { paused }) };
}

function current({ override }: Endpoint, now: number): OverrideSpec {
  if (override === undefined) return { settings: {} };
  const { version: _, ...spec } = overrideInEffect(override, now);
  return spec;
}

/** All that a spec has: an endpoint as it is read has more. */
const SPEC_MEMBERS = Object.keys({
  name: true,
  description: true,
  target: true,
  services: true,
  previousServices: true,
  callers: true,
  functionArn: true,
  owner: true,
  settings: true,
  queued: true,
  queues: true,
  allowedCallbacks: true,
  promotable: true,
  absorbFailures: true,
  deduplicate: true,
} satisfies Record<keyof EndpointSpec, true>) as readonly (keyof EndpointSpec)[];

/** What is said of an endpoint by whoever names it; the rest is how its target is served. */
const OWN_MEMBERS: readonly (keyof EndpointSpec)[] = ['name', 'description', 'target', 'callers', 'settings'];

/** Those of the deploy that wrote an entry. */
const DEPLOY_MEMBERS: readonly (keyof EndpointSpec)[] = ['owner', 'previousServices'];

/** An endpoint's spec alone. */
export function specOf(endpoint: Endpoint): EndpointSpec {
  const { name, target, services } = endpoint;
  return { ...only(endpoint, SPEC_MEMBERS), name, target, services };
}

/** The endpoint that shows how a target is served: one that a deploy wrote before any other. */
export function servingEndpoint(
  endpoints: readonly Endpoint[],
  { name, target }: Pick<EndpointSpec, 'name' | 'target'>,
): Endpoint | undefined {
  const others = endpoints.filter((one) => one.name !== name && isSame(one.target, target));
  return others.find(({ owner }) => owner !== undefined) ?? others[0];
}

/** A spec whose target is served as another endpoint's is, or by nothing yet. */
export function servedAs(
  own: Pick<EndpointSpec, 'name' | 'target'> & Partial<EndpointSpec>,
  serving: Endpoint | undefined,
): EndpointSpec {
  const { name, target } = own;
  const service = SPEC_MEMBERS.filter((member) => ![...OWN_MEMBERS, ...DEPLOY_MEMBERS].includes(member));
  return { services: [], ...(serving && only(serving, service)), ...only(own, OWN_MEMBERS), name, target };
}

function only(spec: Partial<EndpointSpec>, members: readonly (keyof EndpointSpec)[]): Partial<EndpointSpec> {
  return Object.fromEntries(members.flatMap((member) => (spec[member] === undefined ? [] : [[member, spec[member]]])));
}

function isSame(one: Target, other: Target): boolean {
  return one.namespace === other.namespace && one.taskQueue === other.taskQueue;
}
