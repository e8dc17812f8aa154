import { DefaultPayloadConverterWithProtobufs } from '@temporalio/common/lib/protobufs.js';
import protobuf from 'protobufjs/light.js';

const protobufRoot = protobuf.Root.fromJSON({
  nested: {
    catalog: {
      nested: {
        Article: {
          fields: {
            name: { type: 'string', id: 1 },
            cents: { type: 'int64', id: 2 },
            tags: { rule: 'repeated', type: 'string', id: 3 },
          },
        },
      },
    },
  },
});

/** The protobuf message `catalog.Article`. */
export const Article = protobufRoot.lookupType('catalog.Article');

export const payloadConverter = new DefaultPayloadConverterWithProtobufs({
  protobufRoot: protobufRoot as unknown as Record<string, unknown>,
});
