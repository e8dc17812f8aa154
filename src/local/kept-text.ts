import { AT_REST } from '../router/circuit.ts';
import { drift, pauseInEffect } from '../router/effective-settings.ts';
import type { Endpoint } from '../router/ports.ts';
import { printable } from './request-line.ts';

/**
 * What people set before this start, and holds on: it has requests refused or wait, and whoever starts the server may not
 * remember it. Empty where nothing is set.
 *
 * @param url of the server
 */
export function keptText(endpoint: Endpoint, { now, url }: { readonly now: number; readonly url: string }): string {
  const { name, circuit = AT_REST } = endpoint;
  const pause = pauseInEffect(endpoint, now);
  const tripped = circuit.status === 'open' ? circuit.tripped : undefined;
  const kept = [
    ...(pause === undefined
      ? []
      : [
          `paused by ${pause.author} since ${iso(pause.at)}${until(pause)}: ${pause.reason}`,
          `  to end it: nexus-lambda endpoint resume --name ${name} --url ${url}`,
        ]),
    ...(tripped === undefined
      ? []
      : [
          `circuit open by hand, by ${tripped.by} since ${iso(tripped.at)}: ${tripped.reason}`,
          `  to close it: nexus-lambda circuit reset ${name} --url ${url}`,
        ]),
    ...drift(endpoint, now).map(
      ({ setting, effective, author, since, until: expiresAt, reason }) =>
        `${setting} is ${effective}, by ${author} since ${iso(since)}${until({ expiresAt })}: ${reason}`,
    ),
  ];
  return kept.length === 0
    ? ''
    : ['kept from before, and holds:', ...kept.map((line) => `  ${printable(line)}`)].join('\n');
}

function until({ expiresAt }: { readonly expiresAt?: number | undefined }): string {
  return expiresAt === undefined ? '' : ` until ${iso(expiresAt)}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
