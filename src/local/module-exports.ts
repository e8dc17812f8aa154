import type { ServiceHandler } from 'nexus-rpc';
import { isServiceHandler } from '../handler/services.ts';

/** What a module must export, for messages. */
const EXPECTED =
  'export at least one nexus-rpc service handler (`export const shop = serviceHandler(shopService, { … })`): named, as ' +
  'the default, in an array, or inside the Lambda handler that createServiceHandler makes of it';

/** A module that loads, but does not export what can be served. The message lists what it does export. */
export class ModuleExportsError extends Error {
  override readonly name = 'ModuleExportsError';
}

/**
 * Every nexus-rpc service handler that a module exports: named, default, in an array, or carried by a Lambda handler as
 * its `services`; the same one once. Fails with a {@link ModuleExportsError} where there is none, and where two
 * different ones have the same service name.
 */
export function collectServices(exported: Readonly<Record<string, unknown>>): ServiceHandler[] {
  const foundAt = new Map<ServiceHandler, string>();
  for (const [name, value] of Object.entries(exported)) {
    for (const handler of servicesIn(value)) {
      if (!foundAt.has(handler)) foundAt.set(handler, name);
    }
  }
  if (foundAt.size === 0) {
    throw new ModuleExportsError(
      `the module exports no service handler; it exports ${describeExports(exported)}, and must ${EXPECTED}`,
    );
  }
  refuseTwins(foundAt);
  return [...foundAt.keys()];
}

function servicesIn(value: unknown): ServiceHandler[] {
  if (isServiceHandler(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(servicesIn);
  if (typeof value === 'function' && 'services' in value && Array.isArray(value.services)) {
    return value.services.filter(isServiceHandler);
  }
  return [];
}

function refuseTwins(foundAt: ReadonlyMap<ServiceHandler, string>): void {
  const byService = new Map<string, string>();
  for (const [{ definition }, name] of foundAt) {
    const other = byService.get(definition.name);
    if (other !== undefined) {
      throw new ModuleExportsError(
        `the exports "${other}" and "${name}" are different handlers of the same service "${definition.name}"; export one of them, ` +
          'or rename a service',
      );
    }
    byService.set(definition.name, name);
  }
}

function describeExports(exported: Readonly<Record<string, unknown>>): string {
  const found = Object.entries(exported).map(([name, value]) => `${name} (${kindOf(value)})`);
  return found.length === 0 ? 'nothing at all' : found.join(', ');
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `array of ${value.length}`;
  if (typeof value === 'object' && 'operations' in value) return 'a service without its handler';
  return typeof value;
}
