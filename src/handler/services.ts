import { HandlerError, type OperationDefinition, type OperationHandler, type ServiceHandler } from 'nexus-rpc';
import { DOCTOR_SERVICE } from '../nexus/doctor-contract.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { doctorService } from './doctor-service.ts';
import type { TemporalDiagnostics } from './temporal-side.ts';

/** What `nexus-rpc` compiles an operation into: its definition and its two methods in one object. */
export type CompiledOperation = OperationDefinition<unknown, unknown> & OperationHandler<unknown, unknown>;

/** The service handlers of one Lambda handler, by name. */
export interface Services {
  /** Fails with NOT_FOUND, naming what there is. */
  operation(service: string, operation: string): CompiledOperation;
  readonly contract: readonly ServiceContract[];
}

/**
 * Takes the service handlers as `nexus-rpc` makes them; fails with a TypeError where two have one name. Besides them
 * there is the service of `nexus-lambda doctor`, which is part of no contract.
 */
export function indexServices(handlers: readonly ServiceHandler[], diagnostics?: TemporalDiagnostics): Services {
  if (handlers.length === 0) {
    throw new TypeError(
      'no service handlers given; pass at least one: createServiceHandler({ services: [greetingHandler] })',
    );
  }
  const byName = new Map<string, ServiceHandler>();
  for (const [index, handler] of handlers.entries()) {
    if (!isServiceHandler(handler)) {
      throw new TypeError(
        `services[${index}] is no nexus-rpc service handler; make one with serviceHandler(service, { … })`,
      );
    }
    const { name } = handler.definition;
    if (!name) throw new TypeError(`services[${index}] has an empty service name`);
    if (name === DOCTOR_SERVICE)
      throw new TypeError(`services[${index}] is named '${name}', which is taken by nexus-lambda itself; rename it`);
    if (byName.has(name))
      throw new TypeError(`two service handlers are named '${name}'; a service name must be unique`);
    byName.set(name, handler);
  }
  const contract = [...byName.values()].map(({ definition }) => ({
    name: definition.name,
    operations: Object.values(definition.operations).map(({ name }) => name),
  }));
  return {
    contract,
    operation(service, operation) {
      const handler = byName.get(service);
      if (handler === undefined) {
        if (service === DOCTOR_SERVICE) return doctorService(contract, diagnostics).getOperationHandler(operation);
        throw notFound(`no service '${service}' here; there is ${quoted([...byName.keys()])}`);
      }
      const names = contract.find(({ name }) => name === service)?.operations ?? [];
      if (!names.includes(operation)) {
        throw notFound(`service '${service}' has no operation '${operation}'; it has ${quoted(names)}`);
      }
      return handler.getOperationHandler(operation);
    },
  };
}

/** By shape: `nexus-rpc` gives service handlers no mark that would survive a second copy of the package. */
export function isServiceHandler(value: unknown): value is ServiceHandler {
  return (
    typeof value === 'object' &&
    value !== null &&
    'definition' in value &&
    typeof value.definition === 'object' &&
    'getOperationHandler' in value &&
    typeof value.getOperationHandler === 'function'
  );
}

function notFound(message: string): HandlerError {
  return new HandlerError('NOT_FOUND', message, { stackTrace: '' });
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
