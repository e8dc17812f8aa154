import type { EndpointSettings } from '../router/settings.ts';
import type { EntryProperties, GateProperties } from './contract.ts';

/** Properties of a custom resource, as CloudFormation hands them on. */
export type GivenProperties = Readonly<Record<string, unknown>>;

/** Reads the properties of a gate or an entry; fails with a TypeError that names the one that is wrong. */
export function parseProperties(given: GivenProperties): GateProperties | EntryProperties {
  const { kind } = given;
  if (kind !== 'gate' && kind !== 'entry') throw wrong('kind', kind, '"gate" or "entry"');
  const common = {
    tableName: text(given, 'tableName'),
    endpoint: text(given, 'endpoint'),
    versionArn: text(given, 'versionArn'),
    allowBreakingChange: flag(given, 'allowBreakingChange'),
  };
  if (kind === 'gate') return { kind, ...common };
  const { description, callers, deduplicate } = given;
  if (description !== undefined && typeof description !== 'string') throw wrong('description', description, 'text');
  if (!Array.isArray(callers) || !callers.every((caller) => typeof caller === 'string')) {
    throw wrong('callers', callers, 'a list of texts');
  }
  return {
    kind,
    ...common,
    ...(description !== undefined && { description }),
    namespace: text(given, 'namespace'),
    taskQueue: text(given, 'taskQueue'),
    callers,
    settings: text(given, 'settings'),
    functionArn: text(given, 'functionArn'),
    ...queueProperties(given),
    ...(deduplicate !== undefined && { deduplicate: flag(given, 'deduplicate') }),
  };
}

/** Properties that list operations. */
const LISTS = ['queued', 'promotable', 'absorbFailures'] as const;

/** Those of an endpoint whose operations may be kept in queues. */
function queueProperties(
  given: GivenProperties,
): Pick<EntryProperties, (typeof LISTS)[number] | 'queues' | 'allowedCallbacks'> {
  const { queues, allowedCallbacks } = given;
  const lists = LISTS.filter((name) => given[name] !== undefined).map((name) => [name, texts(given, name)]);
  return {
    ...Object.fromEntries(lists),
    ...(queues !== undefined && { queues: text(given, 'queues') }),
    ...(allowedCallbacks !== undefined && { allowedCallbacks: text(given, 'allowedCallbacks') }),
  };
}

/** The settings of an entry. Whether their names and ranges are right is for `checkEndpointSpec` to say. */
export function parseSettings({ settings }: EntryProperties): EndpointSettings {
  const rule = 'a JSON object such as {"concurrency":10}';
  let parsed: unknown;
  try {
    parsed = JSON.parse(settings);
  } catch {
    throw wrong('settings', settings, rule);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw wrong('settings', settings, rule);
  return parsed;
}

/** What a resource is about, whatever else its properties say. */
export interface Subject {
  readonly kind: 'gate' | 'entry';
  readonly tableName: string;
  readonly endpoint: string;
}

/** What these properties are about; `undefined` where they name nothing. */
export function subjectOf({ kind, tableName, endpoint }: GivenProperties = {}): Subject | undefined {
  if (kind !== 'gate' && kind !== 'entry') return undefined;
  return typeof tableName === 'string' && typeof endpoint === 'string' ? { kind, tableName, endpoint } : undefined;
}

/** Another table or name is another resource: CloudFormation deletes the one before it once the deploy has succeeded. */
export function physicalIdOf({ kind, tableName, endpoint }: Subject): string {
  return `${kind}/${tableName}/${endpoint}`;
}

function text(given: GivenProperties, name: string): string {
  const value = given[name];
  if (typeof value === 'string' && value !== '') return value;
  throw wrong(name, value, 'text');
}

function texts(given: GivenProperties, name: string): readonly string[] {
  const value = given[name];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw wrong(name, value, 'a list of texts');
}

function flag(given: GivenProperties, name: string): 'true' | 'false' {
  const value = given[name];
  if (value === 'true' || value === 'false') return value;
  throw wrong(name, value, '"true" or "false"');
}

function wrong(name: string, value: unknown, allowed: string): TypeError {
  const shown = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 200);
  return new TypeError(
    `the property ${name} of the custom resource is ${shown}; it takes ${allowed}, as the constructs of nexus-lambda/cdk set it`,
  );
}
