import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCompletion, parseCompletion } from '../../src/nexus/completion.ts';
import { contentToPayload, payloadToContent } from '../../src/nexus/content.ts';
import { formatDuration, parseDuration } from '../../src/nexus/duration.ts';
import { fromNexusFailure, parseFailure, toNexusFailure } from '../../src/nexus/failure.ts';
import { formatRequest } from '../../src/nexus/format-request.ts';
import { formatLinks, parseLinks } from '../../src/nexus/links.ts';
import { toOldNexusFailure } from '../../src/nexus/old-failure.ts';
import { parseStartResponse } from '../../src/nexus/parse-response.ts';
import { decodePayload, encodePayload } from '../../src/nexus/payload-proto.ts';
import { parseRequest } from '../../src/nexus/request.ts';
import { formatStartResponse } from '../../src/nexus/response.ts';
import {
  anyPayload,
  cancelRequest,
  completion,
  link,
  milliseconds,
  payload,
  protoFailure,
  startRequest,
  token,
} from './arbitraries.ts';

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const written = (links: readonly { url: URL; type: string }[]) =>
  links.map(({ url, type }) => ({ href: url.href, type }));

describe('what is formatted parses to what it was', () => {
  it('timeouts', () => {
    fc.assert(
      fc.property(milliseconds, (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it('links, in the percent-encoding that servers can read', () => {
    fc.assert(
      fc.property(fc.array(link, { maxLength: 4 }), (links) => {
        const text = formatLinks(links);
        const parsed = parseLinks(text);
        expect(formatLinks(parsed)).toBe(text);
        expect(written(parsed)).toEqual(
          links.map(({ url, type }) => ({ href: url.href.replaceAll(',', '%2C').replaceAll(';', '%3B'), type })),
        );
      }),
    );
  });

  it('payloads as protobuf', () => {
    fc.assert(
      fc.property(anyPayload, (one) => {
        expect(decodePayload(encodePayload(one))).toEqual(one);
      }),
    );
  });

  it('payloads as HTTP content', () => {
    fc.assert(
      fc.property(payload, (one) => {
        const { headers, body } = payloadToContent(one);
        expect(contentToPayload(headers, body)).toEqual(one);
      }),
      { numRuns: 1000 },
    );
  });

  it('failures in the new form', () => {
    fc.assert(
      fc.property(protoFailure, (failure) => {
        const parsed = fromNexusFailure(parseFailure(throughJson(toNexusFailure(failure))));
        expect(parsed).toEqual(failure);
      }),
      { numRuns: 1000 },
    );
  });

  it('failures in the old form', () => {
    fc.assert(
      fc.property(protoFailure, (failure) => {
        const parsed = fromNexusFailure(parseFailure(throughJson(toOldNexusFailure(failure))));
        expect(parsed).toEqual(failure);
      }),
      { numRuns: 1000 },
    );
  });

  it('tokens of started operations', () => {
    fc.assert(
      fc.property(token, (one) => {
        expect(parseStartResponse(formatStartResponse({ kind: 'async', token: one, links: [] }))).toEqual({
          kind: 'async',
          token: one,
          links: [],
        });
      }),
    );
  });

  it('results of operations', () => {
    fc.assert(
      fc.property(payload, fc.array(link, { maxLength: 2 }), (one, links) => {
        const { headers, body } = formatStartResponse({ kind: 'sync', payload: one, links });
        expect(contentToPayload(headers, body)).toEqual(one);
      }),
    );
  });

  it('starts, with what a handler sees of their headers', () => {
    fc.assert(
      fc.property(startRequest, (request) => {
        const sent = formatRequest(request);
        const parsed = parseRequest(sent);
        const { headers, links, ...rest } = request;
        expect(parsed).toMatchObject(rest);
        expect(parsed.headers).toMatchObject(headers);
        expect(parseRequest(formatRequest(parsed))).toEqual(parsed);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['header', 'query', 'path'] as const)('cancels, with the token in the %s', (tokenIn) => {
    fc.assert(
      fc.property(cancelRequest, (request) => {
        expect(parseRequest(formatRequest(request, { tokenIn }))).toMatchObject(request);
      }),
    );
  });

  it('completions', () => {
    fc.assert(
      fc.property(completion, ({ links, ...one }) => {
        const parsed = parseCompletion(formatCompletion({ ...one, links }));
        expect(parsed).toMatchObject(one);
        expect(formatLinks(parsed.links)).toBe(formatLinks(links));
      }),
      { numRuns: 1000 },
    );
  });
});
