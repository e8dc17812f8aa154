import type { ServiceHandler } from 'nexus-rpc';
import type { LambdaContext, LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import { isServiceHandler } from '../handler/services.ts';

/** What a module must export, for messages. */
const EXPECTED =
  'export at least one nexus-rpc service handler (`export const shop = serviceHandler(shopService, { … })`): named, as ' +
  'the default, in an array, or inside the Lambda handler that createServiceHandler makes of it';

/** A module that loads, but does not export what can be served. The message lists what it does export. */
export class ModuleExportsError extends Error {
  override readonly name = 'ModuleExportsError';
}

/** What runs a service as on Lambda, with its own middlewares, interceptors and Temporal side. */
export type LambdaHandler = (invocation: NexusInvocation, context: LambdaContext) => Promise<LambdaHttpResult>;

/** What a module exports to be served. */
export interface ExportedHandlers {
  /** Each once, in whichever ways it is exported. */
  readonly services: readonly ServiceHandler[];
  /** The Lambda handler that carries a service, by the service's name. Those that are not in here are exported plainly. */
  readonly lambdaHandlers: ReadonlyMap<string, LambdaHandler>;
}

/**
 * Every nexus-rpc service handler that a module exports: named, default, in an array, or carried by a Lambda handler as
 * its `services`. Fails with a {@link ModuleExportsError} where there is none, and where it is not clear which one
 * serves: where two different ones have the same service name, or two Lambda handlers carry the same one.
 */
export function collectHandlers(exported: Readonly<Record<string, unknown>>): ExportedHandlers {
  const foundAt = new Map<ServiceHandler, string>();
  const carriers = new Map<ServiceHandler, Carrier>();
  for (const [name, value] of Object.entries(exported)) {
    for (const { service, lambdaHandler } of findIn(value)) {
      if (!foundAt.has(service)) foundAt.set(service, name);
      if (lambdaHandler === undefined) continue;
      const other = carriers.get(service);
      if (other !== undefined && other.lambdaHandler !== lambdaHandler) {
        throw ambiguous('Lambda handlers', service, [other.name, name]);
      }
      carriers.set(service, { lambdaHandler, name });
    }
  }
  if (foundAt.size === 0) {
    throw new ModuleExportsError(
      `the module exports no service handler; it exports ${describeExports(exported)}, and must ${EXPECTED}`,
    );
  }
  refuseTwins(foundAt);
  return {
    services: [...foundAt.keys()],
    lambdaHandlers: new Map(
      [...carriers].map(([service, carrier]) => [service.definition.name, carrier.lambdaHandler]),
    ),
  };
}

interface Carrier {
  readonly lambdaHandler: LambdaHandler;
  /** Of the export. */
  readonly name: string;
}

interface Found {
  readonly service: ServiceHandler;
  readonly lambdaHandler?: LambdaHandler;
}

function findIn(value: unknown): Found[] {
  if (isServiceHandler(value)) return [{ service: value }];
  if (Array.isArray(value)) return value.flatMap(findIn);
  if (!isLambdaHandler(value)) return [];
  return value.services.filter(isServiceHandler).map((service) => ({ service, lambdaHandler: value }));
}

function isLambdaHandler(value: unknown): value is LambdaHandler & { readonly services: readonly unknown[] } {
  return typeof value === 'function' && 'services' in value && Array.isArray(value.services);
}

function refuseTwins(foundAt: ReadonlyMap<ServiceHandler, string>): void {
  const byService = new Map<string, string>();
  for (const [service, name] of foundAt) {
    const other = byService.get(service.definition.name);
    if (other !== undefined) throw ambiguous('handlers', service, [other, name]);
    byService.set(service.definition.name, name);
  }
}

function ambiguous(kind: string, { definition }: ServiceHandler, [first, second]: readonly [string, string]): Error {
  return new ModuleExportsError(
    `the exports "${first}" and "${second}" are different ${kind} of the same service "${definition.name}"; export one of them, ` +
      'or rename a service',
  );
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
