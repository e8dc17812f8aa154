import { ApplicationFailure, CancelledFailure, NexusOperationFailure } from '@temporalio/common';
import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { useTemporal } from './use-temporal.ts';
import { openWireTap } from './wire-tap.ts';
import { serverVersions } from './world.ts';

const stocktaking = { message: 'stocktaking', type: 'Closed', details: [{ until: 'Monday' }, 7] };

/** How 1.29.1 and 1.32.1 show what caused the handler error: the older one has no place for a message of the error itself. */
const brokenTill = {
  old: ['HandlerError: Handler failed with non-retryable application error', 'BrokenTill: the till is broken'],
  new: ['BrokenTill: the till is broken'],
};

/** An error and what caused it, outermost first. */
function causesOf(error: unknown): ApplicationFailure[] {
  return error instanceof ApplicationFailure ? [error, ...causesOf(error.cause)] : [];
}

describe.concurrent.each(serverVersions)('an operation called by the %s server', (version) => {
  const temporal = useTemporal(version);

  it('fails with an OperationError, its cause and details', async () => {
    const endpoint = await temporal.createEndpoint(temporal.world.shopUrl);
    const target = { endpoint, service: 'trouble', operation: 'refuse' };
    const failure = await temporal.failureOf(target, { state: 'failed' });
    expect(failure).toBeInstanceOf(NexusOperationFailure);
    expect(failure).toMatchObject({ endpoint, service: 'trouble', operation: 'refuse' });
    expect(failure.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause).toMatchObject({ message: 'the shop is closed', type: 'OperationError', nonRetryable: true });
    expect(failure.cause?.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause?.cause).toMatchObject(stocktaking);
    expect(failure.cause?.cause).toHaveProperty('stack', expect.stringContaining('services/trouble.ts'));
  });

  it('is canceled by an OperationError, its cause and details', async () => {
    const endpoint = await temporal.createEndpoint(temporal.world.shopUrl);
    const target = { endpoint, service: 'trouble', operation: 'refuse' };
    const failure = await temporal.failureOf(target, { state: 'canceled' });
    expect(failure.cause).toBeInstanceOf(CancelledFailure);
    expect(failure.cause?.message).toBe('the shop is closed');
    expect(failure.cause?.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause?.cause).toMatchObject(stocktaking);
  });

  it('fails at once with a non-retryable ApplicationFailure and its details', async () => {
    const tap = await openWireTap(temporal.world.shopUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    const failure = await temporal.failureOf({ endpoint, service: 'trouble', operation: 'breakDown' });
    await tap.close();
    expect(tap.exchanges).toHaveLength(1);
    expect(failure.cause).toBeInstanceOf(HandlerError);
    expect(failure.cause).toMatchObject({ type: 'INTERNAL', retryable: false });
    const causes = causesOf(failure.cause?.cause);
    expect(causes.map(({ type, message }) => `${type}: ${message}`)).toEqual(brokenTill[version]);
    expect(causes.at(-1)).toMatchObject({ nonRetryable: true, details: [{ till: 3 }] });
  });

  it.each([
    { what: 'a service', service: 'trubble', operation: 'refuse', says: 'trubble' },
    { what: 'an operation', service: 'trouble', operation: 'refuze', says: 'refuze' },
  ])('fails at once where there is no such thing as $what', async ({ service, operation, says }) => {
    const tap = await openWireTap(temporal.world.shopUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    const failure = await temporal.failureOf({ endpoint, service, operation });
    await tap.close();
    expect(tap.exchanges.map(({ status }) => status)).toEqual([404]);
    expect(failure.cause).toBeInstanceOf(HandlerError);
    expect(failure.cause).toMatchObject({ type: 'NOT_FOUND' });
    expect(failure.cause?.message).toContain(says);
  });
});
