import { describe, expect, it } from 'vitest';
import type { OverrideMark } from '../../src/router/override.ts';
import { createPauseGate } from '../../src/router/pause-gate.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const mark = { author: 'iam:arn:aws:iam::1:role/OnCall', reason: 'the database moves', at: 0 };

function setUp(paused?: OverrideMark) {
  const clock = new ManualClock();
  const endpoint: Endpoint = {
    name: 'shop',
    target: { namespace: 'default', taskQueue: 'shop' },
    services: [],
    version: 1,
    createdAt: 0,
    lastModifiedAt: 0,
    override: { settings: {}, ...(paused && { paused }), version: 1 },
  };
  const gate = createPauseGate({ clock });
  return { clock, admit: (kind: 'start' | 'cancel') => gate.admit({ endpoint, principal: 'basic:shop', kind }) };
}

describe('the pause gate', () => {
  it('lets through what is for an endpoint that nobody paused', async () => {
    const { admit } = setUp();
    const admission = await admit('start');
    if (admission.kind !== 'admitted') throw new Error(admission.message);
    await admission.ended({ kind: 'succeeded' });
  });

  it.each(['start', 'cancel'] as const)('refuses a %s, saying why, and to strangers not by whom', async (kind) => {
    const { admit } = setUp(mark);
    expect(await admit(kind)).toEqual({
      kind: 'refused',
      reason: 'paused',
      retryAfterMs: 60_000,
      message: 'endpoint "shop" is paused: the database moves',
    });
  });

  it('refuses until the pause expires, and has nobody wait longer than that, nor longer than a minute', async () => {
    const start = new ManualClock().nowMs;
    const { clock, admit } = setUp({ ...mark, expiresAt: start + 90_000 });
    expect(await admit('start')).toMatchObject({
      retryAfterMs: 60_000,
      message: expect.stringContaining('is paused until 2026-01-01T00:01:30.000Z: the'),
    });
    clock.nowMs = start + 89_000;
    expect(await admit('start')).toMatchObject({ retryAfterMs: 1_000 });
    clock.nowMs = start + 90_000;
    expect(await admit('start')).toMatchObject({ kind: 'admitted' });
  });
});
