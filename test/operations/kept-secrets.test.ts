import { describe, expect, it } from 'vitest';
import { keepSecrets, SECRET_KEPT_MS, SECRET_READ_SPACING_MS } from '../../src/operations/kept-secrets.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

/** Secrets whose value is the number of the read that it came by, unless the test has another one. */
function setUp() {
  const clock = new ManualClock();
  const reads: string[] = [];
  const world = { value: () => `${reads.length}` };
  const secret = keepSecrets({
    async read(arn) {
      reads.push(arn);
      return world.value();
    },
    clock,
  });
  return { clock, reads, secret, world };
}

const down = () => {
  throw new Error('throttled');
};

describe('a secret', () => {
  it('is read once in five minutes, each by itself', async () => {
    const { clock, reads, secret } = setUp();
    expect([await secret('a'), await secret('a'), await secret('b')]).toEqual(['1', '1', '2']);
    clock.nowMs += SECRET_KEPT_MS - 1;
    expect(await secret('a')).toBe('1');
    clock.nowMs += 1;
    expect(await secret('a')).toBe('3');
    expect(reads).toEqual(['a', 'b', 'a']);
  });

  it('is read once for all that ask at the same time', async () => {
    const { reads, secret } = setUp();
    expect(await Promise.all([secret('a'), secret('a'), secret('a')])).toEqual(['1', '1', '1']);
    expect(reads).toHaveLength(1);
  });

  it('is read again where it was refused, and once only where another was refused before', async () => {
    const { clock, reads, secret } = setUp();
    const old = await secret('a');
    clock.nowMs += SECRET_READ_SPACING_MS;
    expect(await secret('a', old)).toBe('2');
    clock.nowMs += SECRET_READ_SPACING_MS;
    // A completion that was on its way with the old one.
    expect(await secret('a', old)).toBe('2');
    expect(reads).toHaveLength(2);
  });

  it('is read every ten seconds at most by a callback that refuses everything', async () => {
    const { clock, reads, secret } = setUp();
    let value = await secret('a');
    for (let ms = 0; ms < 60_000; ms += 1_000) {
      clock.nowMs += 1_000;
      value = await secret('a', value);
    }
    expect(reads).toHaveLength(1 + 6);
  });

  it('that cannot be read is what it was, and is asked for every ten seconds at most', async () => {
    const { clock, reads, secret, world } = setUp();
    await secret('a');
    world.value = down;
    clock.nowMs += SECRET_KEPT_MS;
    expect([await secret('a'), await secret('a')]).toEqual(['1', '1']);
    expect(reads).toHaveLength(2);
    clock.nowMs += SECRET_READ_SPACING_MS;
    world.value = () => 'new';
    expect(await secret('a')).toBe('new');
  });

  it('that never could be read is none, and is asked for again at once', async () => {
    const { secret, world } = setUp();
    world.value = down;
    await expect(secret('a')).rejects.toThrow('throttled');
    world.value = () => 'there';
    expect(await secret('a')).toBe('there');
  });

  it('is read again where the clock was set back', async () => {
    const { clock, secret } = setUp();
    await secret('a');
    clock.nowMs -= 3_600_000;
    expect(await secret('a')).toBe('2');
  });
});
