import { expect, it, onTestFinished } from 'vitest';
import { closeCircuit } from '../../src/local/close-circuit.ts';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { StoredCircuit } from '../../src/router/circuit.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const OPEN: StoredCircuit = { status: 'open', version: 1, streak: 5, openedAt: 1, nextProbeAt: 2 };
const TRIPPED: StoredCircuit = { ...OPEN, tripped: { by: 'local', reason: 'a', at: 1 } };

const CLOSED = { kind: 'circuit-changed', endpoint: 'shop', from: 'open', to: 'closed', why: 'another version serves' };

it.each<[string, StoredCircuit | undefined, object | undefined, ...said: object[]]>([
  ['closes one that failures opened, and says so', OPEN, { status: 'closed', streak: 0, version: 2 }, CLOSED],
  ['forgets a streak', { status: 'closed', version: 1, streak: 3, since: 1 }, { streak: 0, version: 2 }],
  ['leaves one that somebody opened', TRIPPED, TRIPPED],
  ['leaves one that never failed', undefined, undefined],
])('a new version of the handler %s', async (_what, before, after, ...said) => {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const clock = new ManualClock();
  const registry = createSqliteEndpointRegistry(db, clock);
  const store = createSqliteCircuitStore(db);
  await registry.create({ name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] });
  if (before !== undefined) await store.write('shop', before);
  const events: FlowEvent[] = [];
  await closeCircuit('shop', { registry, store, clock, emit: (event) => void events.push(event) });
  expect(events).toEqual(said);
  const { circuit } = (await registry.get('shop'))!;
  if (after === undefined) expect(circuit).toBeUndefined();
  else expect(circuit).toMatchObject(after);
});
