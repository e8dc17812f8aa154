import { describe, expect, it } from 'vitest';
import type { StoredCircuit } from '../../src/router/circuit.ts';
import type { CircuitStore, Endpoint, EndpointRegistry } from '../../src/router/ports.ts';

type Registry = Pick<EndpointRegistry, 'create' | 'update' | 'delete' | 'get' | 'list'>;

const NOW = Date.UTC(2026, 0, 1);
const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };
const lastFailure = { at: NOW, message: 'the bank is down: "é"\n' };

/** One of each kind, with every member that it may have and with none. */
const CIRCUITS: Readonly<Record<string, StoredCircuit>> = {
  'a closed one': { status: 'closed', version: 1, streak: 0 },
  'one with a streak': {
    ...{ status: 'closed', version: 1, streak: 3, since: NOW, clearedAt: NOW - 1, successMs: 20 },
    lastFailure,
  },
  'an open one': { status: 'open', version: 1, streak: 5, openedAt: NOW, nextProbeAt: NOW + 60_000, lastFailure },
  'one with a probe': {
    ...{ status: 'open', version: 1, streak: 5, openedAt: NOW, nextProbeAt: NOW, lastFailure },
    probe: { id: 'p', leaseUntil: NOW + 35_000 },
  },
  'one that is open by hand': {
    ...{ status: 'open', version: 1, streak: 0, openedAt: NOW },
    tripped: { by: 'iam:arn:aws:iam::111122223333:role/Ops', reason: 'the bank moves', at: NOW },
  },
};

/** What every adapter of the CircuitStore port does. `open` makes an empty one, and the registry that reads it. */
export function describeCircuitStore(
  adapter: string,
  open: () => Promise<{ readonly circuits: CircuitStore; readonly registry: Registry }>,
): void {
  async function setUp() {
    const { circuits, registry } = await open();
    await registry.create(spec);
    const circuit = async () => (await registry.get('shop'))?.circuit;
    return { circuits, registry, circuit };
  }

  const closed = (version: number, streak = 0): StoredCircuit => ({ status: 'closed', version, streak });

  describe(`the circuits on ${adapter}`, () => {
    it('are not there until one is written', async () => {
      const { registry } = await setUp();
      expect(await registry.get('shop')).not.toHaveProperty('circuit');
      expect((await registry.list())[0]).not.toHaveProperty('circuit');
    });

    it.each(Object.keys(CIRCUITS))('come back with their endpoint as they were written: %s', async (kind) => {
      const { circuits, registry } = await setUp();
      const circuit = CIRCUITS[kind]!;
      expect(await circuits.write('shop', circuit)).toEqual({ kind: 'written' });
      expect(await registry.get('shop')).toMatchObject({ ...spec, circuit });
      expect((await registry.get('shop'))?.circuit).toEqual(circuit);
      expect((await registry.list()).map((endpoint: Endpoint) => endpoint.circuit)).toEqual([circuit]);
    });

    it('take the place of the one before, and leave nothing of it', async () => {
      const { circuits, circuit } = await setUp();
      await circuits.write('shop', CIRCUITS['one with a probe']!);
      expect(await circuits.write('shop', closed(2))).toEqual({ kind: 'written' });
      expect(await circuit()).toEqual(closed(2));
    });

    it('are not written where another one came before, and say what is there', async () => {
      const { circuits, circuit } = await setUp();
      await circuits.write('shop', closed(1, 1));
      await circuits.write('shop', closed(2, 2));
      for (const late of [closed(1, 7), closed(2, 7), closed(4, 7)]) {
        expect(await circuits.write('shop', late)).toEqual({ kind: 'conflict', stored: closed(2, 2) });
      }
      expect(await circuit()).toEqual(closed(2, 2));
    });

    it('are not written where the one before is not there', async () => {
      const { circuits, circuit } = await setUp();
      expect(await circuits.write('shop', closed(2))).toEqual({ kind: 'conflict' });
      expect(await circuit()).toBeUndefined();
    });

    it('are not written twice, though somebody else found the same at the same time', async () => {
      const { circuits } = await setUp();
      const stored = CIRCUITS['one with a streak']!;
      await circuits.write('shop', stored);
      expect(await circuits.write('shop', { ...stored })).toEqual({ kind: 'conflict', stored });
    });

    it('let one of several concurrent writes win', async () => {
      const { circuits, circuit } = await setUp();
      const streaks = Array.from({ length: 10 }, (_, index) => index + 1);
      const writes = await Promise.all(streaks.map((streak) => circuits.write('shop', closed(1, streak))));
      expect(writes.filter(({ kind }) => kind === 'written')).toHaveLength(1);
      const winner = writes.findIndex(({ kind }) => kind === 'written');
      expect(await circuit()).toEqual(closed(1, winner + 1));
      for (const write of writes) {
        if (write.kind === 'conflict') expect(write.stored).toEqual(closed(1, winner + 1));
      }
    });

    it('belong to one endpoint each', async () => {
      const { circuits, registry } = await setUp();
      await registry.create({ ...spec, name: 'bank' });
      await circuits.write('shop', closed(1, 1));
      await circuits.write('bank', closed(1, 2));
      const all = await registry.list();
      expect(all.map(({ name, circuit }) => [name, circuit?.streak])).toEqual([
        ['bank', 2],
        ['shop', 1],
      ]);
    });

    it('outlast a change of their endpoint', async () => {
      const { circuits, registry, circuit } = await setUp();
      await circuits.write('shop', closed(1, 4));
      await registry.update({ ...spec, description: 'new' }, 1);
      expect(await circuit()).toEqual(closed(1, 4));
    });

    it('are not those of an endpoint that is made later, where they are written after their own was deleted', async () => {
      const { circuits, registry, circuit } = await setUp();
      await registry.delete('shop', 1);
      for (const streak of [1, 2]) await circuits.write('shop', closed(streak, streak));
      expect(await registry.list()).toEqual([]);
      await registry.create(spec);
      expect(await circuit()).toBeUndefined();
      expect(await circuits.write('shop', closed(1))).toEqual({ kind: 'written' });
    });

    it('go with their endpoint', async () => {
      const { circuits, registry, circuit } = await setUp();
      await circuits.write('shop', CIRCUITS['one that is open by hand']!);
      await registry.delete('shop', 1);
      await registry.create(spec);
      expect(await circuit()).toBeUndefined();
      expect(await circuits.write('shop', closed(1))).toEqual({ kind: 'written' });
    });
  });
}
