import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { encryptionCodec } from './converters/encryption-codec.ts';
import { useTemporal } from './use-temporal.ts';
import { openWireTap } from './wire-tap.ts';
import { serverVersions } from './world.ts';

const dataConverter = {
  failureConverterPath: fileURLToPath(new URL('converters/encrypting-failures.ts', import.meta.url)),
  payloadCodecs: [encryptionCodec],
};
const password = 'open sesame';

describe.concurrent.each(serverVersions)('an operation whose callers encrypt, called by the %s server', (version) => {
  const temporal = useTemporal(version, { callers: 'encrypting', dataConverter });

  it('takes and returns payloads that nobody on the way can read', async () => {
    const tap = await openWireTap(temporal.world.vaultUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    const result = await temporal.resultOf({ endpoint, service: 'vault', operation: 'open' }, { password });
    await tap.close();
    expect(result).toEqual({ secret: `what ${password} opens` });
    expect(tap.exchanges).toHaveLength(1);
    const { requestHeaders, requestBody, status, responseHeaders, responseBody } = tap.exchanges[0]!;
    expect(status).toBe(200);
    expect(requestHeaders['content-type']).toBe('application/x-temporal-payload');
    expect(responseHeaders['content-type']).toBe('application/x-temporal-payload');
    expect(requestBody.toString('latin1')).toContain('binary/encrypted');
    expect(responseBody.toString('latin1')).toContain('binary/encrypted');
    expect(requestBody.includes(password)).toBe(false);
    expect(responseBody.includes(password)).toBe(false);
  });

  it('fails with messages and details that nobody on the way can read', async () => {
    const tap = await openWireTap(temporal.world.vaultUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    const failure = await temporal.failureOf({ endpoint, service: 'vault', operation: 'lock' }, { password });
    await tap.close();
    expect(failure.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause?.message).toBe(`cannot lock with ${password}`);
    expect(failure.cause?.cause).toBeInstanceOf(ApplicationFailure);
    expect(failure.cause?.cause).toMatchObject({ message: `no lock for ${password}`, details: [{ password }] });
    const { status, responseBody } = tap.exchanges[0]!;
    expect(status).toBe(424);
    expect(responseBody.toString()).toContain('encodedAttributes');
    expect(responseBody.includes(password)).toBe(false);
    expect(responseBody.includes(Buffer.from(password).toString('base64').slice(0, 12))).toBe(false);
  });

  it('has what its workflow is given and returns encrypted, too', async () => {
    const id = `keep-${randomUUID()}`;
    const endpoint = await temporal.createEndpoint(temporal.world.vaultUrl);
    const result = await temporal.resultOf({ endpoint, service: 'vault', operation: 'keep' }, { id, password });
    expect(result).toBe(`${password} is kept`);
    const [started] = await temporal.eventsOf(id, 'workflowExecutionStartedEventAttributes');
    const [completed] = await temporal.eventsOf(id, 'workflowExecutionCompletedEventAttributes');
    const payloads = [
      ...(started?.attributes.input?.payloads ?? []),
      ...(completed?.attributes.result?.payloads ?? []),
    ];
    const encodings = payloads.map(({ metadata }) => Buffer.from(metadata?.encoding ?? []).toString());
    expect(encodings).toEqual(['binary/encrypted', 'binary/encrypted']);
  });
});
