import { HandlerError, type HandlerErrorType } from 'nexus-rpc';
import { quote } from '../nexus/quote.ts';
import { AT_REST, type StoredCircuit, statusOf } from './circuit.ts';
import { type CircuitDescription, describeCircuit } from './circuit-description.ts';
import { resetByHand, trippedByHand } from './circuit-transitions.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import type { ManagementPart } from './management.ts';
import type { CircuitStore, Clock, Endpoint, EndpointRegistry } from './ports.ts';

export interface CircuitManagementDeps {
  readonly registry: Pick<EndpointRegistry, 'get' | 'list'>;
  readonly store: CircuitStore;
  readonly clock: Clock;
  /** Told of what is done by hand. */
  readonly emit: EmitFlowEvent;
}

/**
 * What engineers see of circuits, and mend them with.
 *
 * | | |
 * |---|---|
 * | `GET /nexus/manage/circuits` | `{"circuits":[…]}`, by the name of the endpoint |
 * | `GET /nexus/manage/circuits/{endpoint}` | the circuit: state, streak, last failure, next probe, who opened it by hand |
 * | `POST /nexus/manage/circuits/{endpoint}/trip?reason=` | opens it, until somebody resets it; callers read the reason |
 * | `POST /nexus/manage/circuits/{endpoint}/reset` | closes it, and forgets its streak |
 *
 * Each POST answers with the circuit as it is then, and has no body. 404: there is no such endpoint. 409: somebody has
 * opened it by hand already.
 */
export interface CircuitManagement extends ManagementPart {
  readonly name: 'circuits';
}

const KNOWN_PATHS =
  'GET /nexus/manage/circuits, GET …/{endpoint}, POST …/{endpoint}/trip?reason= and …/{endpoint}/reset';

/** It goes into the answers to callers. */
const MAX_REASON_LENGTH = 500;

/** Requests that fail write a circuit, too; more of them in a row than this have another cause. */
const MOST_ATTEMPTS = 10;

export function createCircuitManagement({ registry, store, clock, emit }: CircuitManagementDeps): CircuitManagement {
  async function list(): Promise<{ readonly circuits: readonly CircuitDescription[] }> {
    const now = clock.now();
    return { circuits: (await registry.list()).map((endpoint) => describeCircuit(endpoint, now)) };
  }

  async function find(name: string): Promise<Endpoint> {
    const endpoint = await registry.get(name);
    if (endpoint !== undefined) return endpoint;
    const names = (await registry.list()).map((one) => quote(one.name));
    const there = names.length === 0 ? 'there are none yet' : `there is ${names.join(', ')}`;
    throw refusal('NOT_FOUND', `no endpoint is named ${quote(name)}; ${there}`);
  }

  /** Decides and writes until no request was in between. Nothing to do is done. */
  async function change(
    name: string,
    decide: (circuit: StoredCircuit) => StoredCircuit | undefined,
    who: { readonly by: string; readonly why: string },
  ): Promise<CircuitDescription> {
    const endpoint = await find(name);
    let circuit = endpoint.circuit ?? AT_REST;
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const next = decide(circuit);
      if (next === undefined) return describeCircuit({ ...endpoint, circuit }, clock.now());
      const write = await store.write(name, next);
      if (write.kind === 'written') {
        const [from, to] = [statusOf(circuit, clock.now()), statusOf(next, clock.now())];
        emit({ kind: 'circuit-changed', endpoint: name, from, to, ...who });
        return describeCircuit({ ...endpoint, circuit: next }, clock.now());
      }
      circuit = write.stored ?? AT_REST;
    }
    throw refusal(
      'UNAVAILABLE',
      `the circuit of endpoint ${quote(name)} is written by others all the time; try it again`,
    );
  }

  function trip(name: string, query: string, by: string): Promise<CircuitDescription> {
    const reason = reasonOf(query);
    return change(
      name,
      (circuit) => {
        const { tripped } = circuit.status === 'open' ? circuit : {};
        if (tripped === undefined) return trippedByHand(circuit, { by, reason, at: clock.now() });
        const since = new Date(tripped.at).toISOString();
        throw refusal(
          'CONFLICT',
          `the circuit of endpoint ${quote(name)} is open by hand since ${since}, by ${tripped.by}: ${tripped.reason}; reset it first`,
        );
      },
      { by, why: reason },
    );
  }

  function reset(name: string, by: string): Promise<CircuitDescription> {
    return change(name, (circuit) => resetByHand(circuit, clock.now()), { by, why: 'reset by hand' });
  }

  return {
    name: 'circuits',
    async respond({ method, query }, path, { principal }) {
      const [name = '', ...actions] = path === '' ? [] : path.split('/');
      switch ([method, ...(name === '' ? [] : ['{endpoint}']), ...actions].join(' ')) {
        case 'GET':
          return list();
        case 'GET {endpoint}':
          return describeCircuit(await find(name), clock.now());
        case 'POST {endpoint} trip':
          return trip(name, query, principal);
        case 'POST {endpoint} reset':
          return reset(name, principal);
        default:
          throw refusal('NOT_FOUND', `there is no ${method} at ${quote(path)}; there is ${KNOWN_PATHS}`);
      }
    },
  };
}

function reasonOf(query: string): string {
  const parameters = [...new URLSearchParams(query)];
  const other = parameters.find(([name]) => name !== 'reason');
  if (other !== undefined) {
    throw refusal('BAD_REQUEST', `there is no parameter ${quote(other[0])}; allowed here: reason`);
  }
  const reason = parameters.map(([, text]) => text.trim()).join(' ');
  if (reason === '' || reason.length > MAX_REASON_LENGTH) {
    const given = reason === '' ? 'none is given' : `it has ${reason.length} characters`;
    throw refusal(
      'BAD_REQUEST',
      `a reason of 1 to ${MAX_REASON_LENGTH} characters is needed, as ?reason=, for callers and whoever looks next; ${given}`,
    );
  }
  return reason;
}

function refusal(type: HandlerErrorType, message: string): HandlerError {
  return new HandlerError(type, message, { stackTrace: '' });
}
