import { CALLER_RULE, isCaller } from '../handler/access.ts';
import type { EndpointSpec } from './ports.ts';
import { settingsProblems } from './settings.ts';

/** Longest name of an endpoint, in characters: Temporal's own limit (`limit.endpointNameMaxLength`). */
export const MAX_ENDPOINT_NAME_LENGTH = 200;

/** Temporal's own rule for the names of endpoints, so that a name can be the same on both sides. */
const ENDPOINT_NAME = /^[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$/;

/** The rule of {@link isEndpointName} in words, for messages. */
export const ENDPOINT_NAME_RULE = `two to ${MAX_ENDPOINT_NAME_LENGTH} letters, digits and hyphens, beginning with a letter and not ending with a hyphen`;

/** Whether an endpoint may have this name, here and in Temporal. */
export function isEndpointName(name: string): boolean {
  return name.length <= MAX_ENDPOINT_NAME_LENGTH && ENDPOINT_NAME.test(name);
}

/** Fails with a TypeError that names the member where an endpoint cannot be stored as given. */
export function checkEndpointSpec(spec: EndpointSpec): void {
  if (!isEndpointName(spec.name)) {
    throw new TypeError(`"${spec.name}" cannot be the name of an endpoint; it takes ${ENDPOINT_NAME_RULE}`);
  }
  if (spec.target.namespace === '' || spec.target.taskQueue === '') {
    throw new TypeError(
      `endpoint "${spec.name}" needs a target with a namespace and a task queue; one of them is empty`,
    );
  }
  const problems = [
    ...(spec.callers ?? [])
      .filter((caller) => !isCaller(caller))
      .map((caller) => `"${caller}" is no caller; it takes ${CALLER_RULE}`),
    ...settingsProblems(spec.settings ?? {}),
  ];
  if (problems.length > 0) throw new TypeError(`endpoint "${spec.name}": ${problems.join('; ')}`);
}

/**
 * Makes an endpoint's name of any text, such as a file's name: every run of other characters becomes one hyphen, and
 * what may not stand at the ends is cut. Returns undefined where fewer than two characters are left.
 */
export function toEndpointName(text: string): string | undefined {
  const name = text
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .replace(/^[^a-zA-Z]+/, '')
    .slice(0, MAX_ENDPOINT_NAME_LENGTH)
    .replace(/-+$/, '');
  return isEndpointName(name) ? name : undefined;
}
