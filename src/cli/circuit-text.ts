import type { CircuitDescription } from '../router/circuit-description.ts';
import { formatAge } from './age.ts';
import { formatDistance, formatFields, formatMoment, formatTable, oneLine, type Shown } from './output.ts';

// What the circuit commands show on a terminal. Messages and reasons are of somebody else.

type Field = readonly [name: string, text: string];

/** A line for each, by the name of the endpoint. */
export function formatCircuits(circuits: readonly CircuitDescription[], shown: Shown): string {
  const heads = ['ENDPOINT', 'STATE', 'STREAK', 'SINCE', 'NEXT PROBE', 'TRIPPED BY', 'LAST FAILURE'];
  const rows = circuits.map(({ endpoint, status, streak, since, nextProbeAt, tripped, lastFailure }) => [
    endpoint,
    status,
    String(streak),
    since === undefined ? '' : formatDistance(Date.parse(since), shown.now),
    nextProbeAt === undefined ? '' : nextProbe(nextProbeAt, shown),
    oneLine(tripped?.by ?? ''),
    lastFailure === undefined
      ? ''
      : `${formatDistance(Date.parse(lastFailure.at), shown.now)}: ${oneLine(lastFailure.message)}`,
  ]);
  return formatTable(heads, rows, shown);
}

/** All that is known of one. What is to be typed next stands at the end. */
export function formatCircuit(circuit: CircuitDescription, shown: Shown): string {
  const { endpoint, since, lastFailure, nextProbeAt, probeUntil, tripped, settings } = circuit;
  const when = (time: string) => formatMoment(time, shown);
  const fields: readonly (Field | undefined)[] = [
    ['endpoint', oneLine(endpoint)],
    ['state', stateOf(circuit)],
    since === undefined ? undefined : ['since', when(since)],
    tripped && ['tripped by', `${oneLine(tripped.by)}, ${when(tripped.at)}: ${oneLine(tripped.reason)}`],
    lastFailure && ['last failure', `${when(lastFailure.at)}: ${oneLine(lastFailure.message)}`],
    nextProbeAt === undefined ? undefined : ['next probe', when(nextProbeAt)],
    probeUntil === undefined ? undefined : ['another probe', `${when(probeUntil)}, if this one has not ended`],
    ['opens', `after ${settings.circuitFailures} failures in a row, for ${spanOf(settings.circuitOpenMs)}`],
  ];
  const known = formatFields(fields.filter((field) => field !== undefined));
  if (circuit.status === 'closed') return known;
  return `${known}\n\nto close it now:\n  npx nexus-lambda circuit reset ${endpoint}`;
}

function stateOf({ status, streak, tripped }: CircuitDescription): string {
  switch (status) {
    case 'closed':
      return streak === 0 ? 'closed' : `closed, with ${counted(streak)} in a row`;
    case 'open':
      return tripped === undefined
        ? `open, after ${counted(streak)} in a row`
        : 'open by hand, until somebody resets it';
    case 'probing':
      return 'probing: one request is let through';
  }
}

function nextProbe(time: string, { now }: Shown): string {
  const ms = Date.parse(time);
  return ms <= now ? 'the next request' : formatDistance(ms, now);
}

function counted(streak: number): string {
  return `${streak} ${streak === 1 ? 'failure' : 'failures'}`;
}

function spanOf(ms: number): string {
  return ms % 1_000 === 0 ? formatAge(ms) : `${ms} ms`;
}
