import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { beforeAbort } from '../../src/nexus/before-abort.ts';

describe('beforeAbort', () => {
  const { signal } = new AbortController();

  it('is what the promise comes to, and leaves nothing on the signal', async () => {
    expect(await beforeAbort(signal, Promise.resolve(1))).toBe(1);
    await expect(beforeAbort(signal, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('fails as soon as the signal fires, and does not mind what becomes of the promise', async () => {
    const [controller, late] = [new AbortController(), Promise.withResolvers<void>()];
    const waiting = beforeAbort(controller.signal, late.promise);
    controller.abort(new Error('too late'));
    await expect(waiting).rejects.toThrow('too late');
    late.reject(new Error('failed, and nobody waits'));
    await nextTurn();
  });

  it('fails where the signal has fired before', async () => {
    const failed = beforeAbort(AbortSignal.abort(new Error('over')), Promise.reject(new Error('nobody waits')));
    await expect(failed).rejects.toThrow('over');
    const never = new Promise(() => {});
    await expect(beforeAbort(AbortSignal.abort(new Error('over')), never)).rejects.toThrow('over');
  });
});
