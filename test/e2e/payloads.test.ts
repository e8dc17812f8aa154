import { describe, expect, it } from 'vitest';
import { useTemporal } from './use-temporal.ts';
import { openWireTap } from './wire-tap.ts';
import { serverVersions } from './world.ts';

const values = [
  {
    name: 'an object',
    value: { name: 'Ada', tags: ['a', 'b'], nested: { none: null } },
    kind: 'Object',
    contentType: 'application/json',
  },
  { name: 'a string', value: 'grüß Gott, 世界', kind: 'string', contentType: 'application/json' },
  { name: 'null', value: null, kind: 'null', contentType: 'application/json' },
  { name: 'undefined', value: undefined, kind: 'undefined', contentType: undefined },
  {
    name: 'bytes',
    value: new Uint8Array([0, 1, 127, 128, 255]),
    kind: 'Uint8Array',
    contentType: 'application/octet-stream',
  },
];

describe.concurrent.each(serverVersions)('a synchronous operation called by the %s server', (version) => {
  const temporal = useTemporal(version);

  it.each(values)('takes and returns $name', async ({ value, kind, contentType }) => {
    const tap = await openWireTap(temporal.world.shopUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    expect(await temporal.resultOf({ endpoint, service: 'echo', operation: 'echo' }, value)).toStrictEqual(value);
    expect(await temporal.resultOf({ endpoint, service: 'echo', operation: 'kindOf' }, value)).toBe(kind);
    await tap.close();
    expect(tap.exchanges.map(({ requestHeaders }) => requestHeaders['content-type'])).toEqual([
      contentType,
      contentType,
    ]);
    expect(tap.exchanges.map(({ responseHeaders }) => responseHeaders['content-type'])).toEqual([
      contentType,
      'application/json',
    ]);
  });
});
