import { operation, service, serviceHandler } from 'nexus-rpc';
import { Article } from '../converters/protobuf-payloads.ts';

/** Both sides have messages of the type `catalog.Article`. */
export interface ArticleMessage {
  readonly name: string;
  readonly cents: bigint | number;
  readonly tags: readonly string[];
}

/** Served with a data converter that knows protobuf messages. */
export const catalog = service('catalog', {
  tag: operation<ArticleMessage, ArticleMessage>(),
});

export const catalogHandler = serviceHandler(catalog, {
  tag: async (_ctx, article) => Article.create({ ...article, tags: [...article.tags, 'seen'] }) as never,
});
