import { DefaultPayloadConverterWithProtobufs } from '@temporalio/common/lib/protobufs.js';
// The SDK takes messages of its own copy of protobufjs only, and another version is hoisted.
import protobuf from '@temporalio/common/node_modules/protobufjs/light.js';

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
