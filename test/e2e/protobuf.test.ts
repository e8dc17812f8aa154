import { fileURLToPath } from 'node:url';
import { describe, expect, inject, it } from 'vitest';
import { Article } from './converters/protobuf-payloads.ts';
import { useTemporal } from './use-temporal.ts';
import { openWireTap } from './wire-tap.ts';
import { serverVersions } from './world.ts';

const dataConverter = {
  payloadConverterPath: fileURLToPath(new URL('converters/protobuf-payloads.ts', import.meta.url)),
};
const contentType = 'application/json; format=protobuf; message-type="catalog.Article"';

describe.concurrent.each(serverVersions)('an operation with a --data-converter, called by the %s server', (version) => {
  const temporal = useTemporal(version, { callers: 'protobuf', dataConverter });

  it('takes and returns protobuf messages as JSON', async () => {
    const tap = await openWireTap(inject('world').catalogUrl);
    const endpoint = await temporal.createEndpoint(tap.url);
    const input = Article.create({ name: 'a chair', cents: 1999, tags: ['new'] });
    const result = await temporal.resultOf({ endpoint, service: 'catalog', operation: 'tag' }, input);
    await tap.close();
    expect(result).toMatchObject({ name: 'a chair', tags: ['new', 'seen'] });
    const { requestHeaders, requestBody, responseHeaders, responseBody } = tap.exchanges[0]!;
    expect(requestHeaders['content-type']).toBe(contentType);
    expect(JSON.parse(requestBody.toString())).toEqual({ name: 'a chair', cents: '1999', tags: ['new'] });
    expect(responseHeaders['content-type']).toBe(contentType);
    expect(JSON.parse(responseBody.toString())).toEqual({ name: 'a chair', cents: '1999', tags: ['new', 'seen'] });
  });
});
