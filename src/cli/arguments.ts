import { statSync } from 'node:fs';
import { parse, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { StartError } from '../local/start-error.ts';
import { ENDPOINT_NAME_RULE, isEndpointName, toEndpointName } from '../router/endpoint-spec.ts';

// Each takes the text of one argument and fails with commander's error, which names the option before the message.

/** A TCP port; 0 is any free one. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Give a number from 0 to 65535; 0 is any free port.');
  return port;
}

/** `host:port`, as the SDK takes it. An IPv6 host stands in brackets. */
export function parseAddress(text: string): string {
  const match = /^([^\s:/@]+|\[[0-9a-f:.]+\]):(\d{1,5})$/i.exec(text);
  if (match === null || Number(match[2]) > 65_535) {
    throw new InvalidArgumentError('Give host and port, without a scheme: localhost:7233.');
  }
  return text;
}

/** A name that an endpoint may have. */
export function parseEndpointName(text: string): string {
  if (!isEndpointName(text)) throw new InvalidArgumentError(`Give ${ENDPOINT_NAME_RULE}.`);
  return text;
}

/** Any text but the empty one. */
export function parseNonEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

/** `service/operation`, by their names. */
export function parseOperation(text: string): string {
  if (!/^[^/].*\/.*[^/]$/s.test(text))
    throw new InvalidArgumentError('Give the names of service and operation: orders/place.');
  return text;
}

/** The absolute path of a file that is there. */
export function parseModulePath(text: string): string {
  const path = resolve(text);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new InvalidArgumentError(`There is no file ${path}.`);
  return path;
}

/**
 * The endpoint's name without `--endpoint`: the module's file name without its extension, made legal
 * ({@link toEndpointName}). Fails with a StartError where nothing legal is left of it.
 */
export function endpointNameOf(modulePath: string): string {
  const { name } = parse(modulePath);
  const endpoint = toEndpointName(name);
  if (endpoint === undefined) {
    throw new StartError(
      `"${name}" cannot be made the name of an endpoint (${ENDPOINT_NAME_RULE}); name it with --endpoint NAME`,
    );
  }
  return endpoint;
}
