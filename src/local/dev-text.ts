import type { ServiceContract } from '../nexus/message.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { Target } from '../router/ports.ts';
import { endpointPath } from '../router/route.ts';
import type { DevOptions } from './dev-options.ts';
import { printable } from './request-line.ts';

/** What to say once it serves: where, what, and how workflows come to call it. */
export function greeting(
  url: string,
  { endpoint }: Pick<DevOptions, 'endpoint'>,
  target: Target,
  services: readonly ServiceContract[],
): string {
  const base = `${url}${endpointPath(endpoint)}`;
  const operations = operationNames(services).map((operation) => `  POST ${base}/${operation}`);
  return [
    `listening on ${url}`,
    '',
    `endpoint ${endpoint} (task queue ${target.taskQueue}, namespace ${target.namespace}): ${base}`,
    ...(operations.length === 0 ? ['  no operations yet'] : operations),
    '',
    'to call it from workflows:',
    `  temporal operator nexus endpoint create --name ${endpoint} --target-url ${base}`,
    '',
  ].join('\n');
}

/** As a path has them. */
export function operationNames(services: readonly ServiceContract[]): string[] {
  return services.flatMap(({ name, operations }) =>
    operations.map((operation) => `${encodeURIComponent(name)}/${encodeURIComponent(operation)}`),
  );
}

/** Of attempts: how many, and of which operations. */
export function runningNames(running: readonly OperationRecord[]): string {
  const names = [...new Set(running.map(({ start: { service, operation } }) => `${service}/${operation}`))];
  return `${running.length} ${running.length === 1 ? 'attempt' : 'attempts'}: ${printable(names.join(', '))}`;
}

/** What becomes of the operations that are left when it ends. */
export function fateOf({ dataFolder }: Pick<DevOptions, 'dataFolder'>): string {
  return dataFolder === undefined ? 'lost: --ephemeral keeps nothing' : 'kept, and run by the next start';
}
