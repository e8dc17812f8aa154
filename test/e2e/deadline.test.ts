import { randomUUID } from 'node:crypto';
import { describe, it } from 'vitest';
import type { Dawdled } from './services/contracts.ts';
import { patience, useTemporal } from './use-temporal.ts';
import { openWireTap } from './wire-tap.ts';
import { serverVersions } from './world.ts';

/** What a server gives one request of an operation. */
const REQUEST_TIMEOUT_MS = 10_000;

describe.concurrent.each(serverVersions)('a handler that outlives its deadline, called by the %s server', (version) => {
  const temporal = useTemporal(version);

  it('is aborted and answered for before the server gives up, and tried again', async ({ expect }) => {
    const tap = await openWireTap(temporal.world.shopUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    const handle = await temporal.call({ endpoint, service: 'trouble', operation: 'dawdle' }, { key: randomUUID() });
    const lastAttempt = async () => (await handle.describe()).raw.pendingNexusOperations?.[0]?.lastAttemptFailure;
    await expect.poll(lastAttempt, patience).toMatchObject({
      nexusHandlerFailureInfo: { type: 'UPSTREAM_TIMEOUT' },
    });
    const result = (await handle.result()) as Dawdled;
    await tap.close();

    expect(tap.exchanges.map(({ status }) => status)).toEqual([520, 200]);
    const [first] = tap.exchanges;
    expect(first?.requestHeaders['request-timeout']).toMatch(/^(9\d{3}|10000)ms$/);
    expect(first?.durationMs).toBeLessThan(REQUEST_TIMEOUT_MS);
    expect(result.attempts).toBe(2);
    expect(result.abortedWith).toBe('CancelledFailure: TIMED_OUT');
    expect(result.deadlineAfterMs).toBeGreaterThan(REQUEST_TIMEOUT_MS - 2_000);
    expect(result.deadlineAfterMs).toBeLessThan(REQUEST_TIMEOUT_MS);
  });
});
