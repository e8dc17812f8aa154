import type {
  DescribedDrift,
  DescribedMark,
  EndpointDescription,
  EndpointSummary,
} from '../router/endpoint-description.ts';
import { withBursts } from '../router/rate-limits.ts';
import { type EndpointSettings, SETTINGS } from '../router/settings.ts';
import { formatFields, formatMoment, formatTable, oneLine, type Shown } from './output.ts';

// What the endpoint commands show on a terminal. Names and reasons are of somebody else.

type Field = readonly [name: string, text: string];
type SettingName = keyof EndpointSettings;

/** A line for each, by name. */
export function formatEndpoints(endpoints: readonly EndpointSummary[], shown: Shown): string {
  const heads = ['NAME', 'NAMESPACE', 'TASK QUEUE', 'VERSION', 'STATE', 'DRIFT', 'DESCRIPTION'];
  const rows = endpoints.map(({ name, target, version, paused, drift, description = '' }) => [
    name,
    oneLine(target.namespace),
    oneLine(target.taskQueue),
    String(version),
    paused === undefined ? 'active' : 'paused',
    drift.map(shortDrift).join(', '),
    oneLine(description),
  ]);
  return formatTable(heads, rows, shown);
}

/** All that is known of one; what differs from the deploy stands before the settings. */
export function formatEndpoint(endpoint: EndpointDescription, shown: Shown): string {
  const { name, description, target, version, owner, paused, drift, operations, circuit } = endpoint;
  const { callers, queued, functionArn, lastModifiedAt } = endpoint;
  const fields: readonly (Field | undefined)[] = [
    ['endpoint', name],
    description === undefined ? undefined : ['description', oneLine(description)],
    ['target', `task queue ${oneLine(target.taskQueue)}, namespace ${oneLine(target.namespace)}`],
    ['version', String(version)],
    ['state', paused === undefined ? 'active' : `paused ${markText(paused, shown)}`],
    circuit === undefined ? undefined : ['circuit', circuit.status],
    ...driftFields(drift, shown),
    operations === undefined ? undefined : ['operations', countsText(operations)],
    ['queued', queued.length === 0 ? 'none' : oneLine(queued.join(', '))],
    ['callers', oneLine(callers.join(', '))],
    functionArn === undefined ? undefined : ['function', oneLine(functionArn)],
    ['deployed by', owner === undefined ? 'no stack: create, update and delete change it' : oneLine(owner)],
    ['declared', formatMoment(lastModifiedAt, shown)],
  ];
  return `${formatFields(fields.filter((field) => field !== undefined))}\n\n${formatSettings(endpoint, shown)}`;
}

function driftFields(drift: readonly DescribedDrift[], shown: Shown): readonly Field[] {
  if (drift.length === 0) return [['drift', 'none: all settings are as declared']];
  return drift.map((one, index) => [index === 0 ? 'drift' : '', `${longDrift(one)}, ${markText(one, shown)}`]);
}

function shortDrift({ setting, declared, effective }: DescribedDrift): string {
  return `${setting} ${declared ?? 'none'} -> ${effective}`;
}

function longDrift({ setting, declared, effective }: DescribedDrift): string {
  return `${setting} is ${effective}, declared ${declared ?? 'without a limit'}`;
}

function markText({ author, reason, since, until }: DescribedMark, shown: Shown): string {
  const end = until === undefined ? '' : `, until ${formatMoment(until, shown)}`;
  return `by ${oneLine(author)} since ${formatMoment(since, shown)}${end}: ${oneLine(reason)}`;
}

/** Both layers of every setting. */
function formatSettings({ settings }: EndpointDescription, shown: Shown): string {
  const { declared, override, effective } = settings;
  const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => [
    name,
    String(effective[name] ?? 'no limit'),
    declaredText(name, declared),
    String(override[name]?.value ?? ''),
    SETTINGS[name].unit,
  ]);
  return formatTable(['SETTING', 'IN EFFECT', 'DECLARED', 'OVERRIDE', 'UNIT'], rows, shown);
}

function declaredText(name: SettingName, declared: EndpointSettings): string {
  const otherwise = SETTINGS[name].default ?? withBursts(declared)[name];
  return String(declared[name] ?? (otherwise === undefined ? 'no limit' : `${otherwise} (default)`));
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0 ? 'none' : some.map(([state, count]) => `${count} ${state}`).join(', ');
}
