import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForbiddenAddress } from '../../src/operations/address-guard.ts';
import { resultOfAnswer, resultOfError } from '../../src/operations/completion-result.ts';

const ORIGIN = 'https://temporal.example.com';

interface Said {
  readonly type?: string;
  readonly headers?: Record<string, string>;
}

function answered(status: number, body: unknown = '', { type = 'application/json', headers = {} }: Said = {}) {
  const bytes = new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
  const answer = { status, headers: { ...(type && { 'content-type': type }), ...headers }, body: bytes };
  return resultOfAnswer(ORIGIN, answer, (text) => text.replaceAll('secret', '…'));
}

const override = (retryableOverride: boolean) => ({
  message: 'm',
  metadata: { type: 'nexus.HandlerError' },
  details: { type: 'INTERNAL', retryableOverride },
});

describe('resultOfAnswer', () => {
  it.each([200, 201, 202, 204, 299])('takes %i for delivered, whatever the body is', (status) => {
    expect(answered(status, '<html>')).toEqual({ kind: 'delivered' });
    expect(answered(status, override(true))).toEqual({ kind: 'delivered' });
  });

  it.each([
    [{ message: 'stale reference: state machine not found: nexusoperations.Operation:5' }],
    [{ message: 'workflow execution already completed' }],
    [{ message: 'namespace "a" not found' }],
    [{ message: '', metadata: { type: 'nexus.HandlerError' }, details: { type: 'NOT_FOUND' } }],
    [{ message: 'Not Found', metadata: { type: 'nexus.HandlerError' } }],
    [{ message: 'gone', stackTrace: 'at', cause: { message: 'c' } }],
  ])('takes a 404 with the Nexus failure %j for final', (failure) => {
    expect(answered(404, failure)).toMatchObject({ kind: 'refused' });
    expect(answered(404, failure, { type: 'application/json; charset=utf-8' })).toMatchObject({ kind: 'refused' });
  });

  it.each<[string, unknown, Said?]>([
    ['nothing', '', { type: '' }],
    ['text', '404 page not found', { type: 'text/plain; charset=utf-8' }],
    ['a page', '<html>404</html>', { type: 'text/html' }],
    ['a failure that is not said to be JSON', { message: 'operation not found' }, { type: 'text/plain' }],
    ["API Gateway's", { message: 'Not Found' }],
    ["Kong's", { message: 'no Route matched with those values' }],
    ["Temporal's own for another path", { code: 5, message: 'Not Found', details: [] }],
    ["Express's", { message: 'Cannot POST /', error: 'Not Found', statusCode: 404 }],
    ['an object of something else', { error: 'no such route' }],
    ['nothing in it', {}],
    ['a message that is none', { message: 404 }],
    ['an array', []],
    ['null', 'null'],
    ['broken JSON', '{"message":"operation not fou'],
    ['a failure that is to be tried again', override(true)],
    ['a failure', { message: 'm' }, { headers: { 'nexus-request-retryable': 'true' } }],
  ])('tries again after a 404 with %s', (_, body, said) => {
    expect(answered(404, body, said)).toMatchObject({ kind: 'retry' });
    expect(answered(404, body, said)).not.toHaveProperty('alarm');
  });

  it.each([408, 425, 429, 500, 501, 502, 503, 504, 520, 599])('tries again after %i', (status) => {
    expect(answered(status, '')).toEqual({ kind: 'retry', message: `${ORIGIN} answered ${status}` });
  });

  it.each([401, 403])('tries again after %i, and raises an alarm', (status) => {
    const alarm = `give what ${ORIGIN} lets completions in by as its authorization in allowedCallbacks, or mend its access`;
    const expected = { kind: 'retry', message: `${ORIGIN} answered ${status}: "no"`, alarm };
    expect(answered(status, { message: 'no' })).toEqual(expected);
    expect(answered(status, { ...override(false), message: 'no' })).toEqual(expected);
  });

  it.each([302, 303, 307])('tries again after the redirect %i, and raises an alarm', (status) => {
    const message = `${ORIGIN} answered ${status}, a redirect, which is not followed`;
    const alarm = `take away what redirects completions at ${ORIGIN}, such as a page for signing in or for maintenance`;
    expect(answered(status)).toEqual({ kind: 'retry', message, alarm });
  });

  it.each([301, 308])('gives up on the moved URL of a %i until somebody mends it', (status) => {
    const message = `${ORIGIN} answered ${status}: the callback URL has moved; redirects are not followed`;
    expect(answered(status)).toEqual({ kind: 'dead-lettered', message });
  });

  it.each([400, 402, 405, 406, 409, 410, 411, 413, 414, 415, 418, 422, 424, 426, 431, 451, 300, 304, 101])(
    'gives up on %i with the reason until somebody mends it',
    (status) => {
      const message = `${ORIGIN} answered ${status}: "result exceeds size limit"`;
      expect(answered(status, { message: 'result exceeds size limit' })).toEqual({ kind: 'dead-lettered', message });
      expect(answered(status, '<html>', { type: 'text/html' })).toMatchObject({ kind: 'dead-lettered' });
    },
  );

  it.each([
    [400, true, 'retry'],
    [409, true, 'retry'],
    [301, true, 'retry'],
    [500, false, 'dead-lettered'],
    [429, false, 'dead-lettered'],
    [503, true, 'retry'],
  ])('after %i with retryable=%j does what it is told: %s', (status, retryable, kind) => {
    expect(answered(status, override(retryable))).toMatchObject({ kind });
    const headers = { 'nexus-request-retryable': retryable ? 'True' : 'false' };
    expect(answered(status, '', { headers })).toMatchObject({ kind });
  });

  const DATE = 'Wed, 21 Oct 2026 07:28:00 GMT';

  it.each<[number, string, string, number | undefined]>([
    [429, '120', '', 120_000],
    [503, '0', '', 0],
    [503, '999999999', '', 999_999_999_000],
    [503, 'Wed, 21 Oct 2026 07:29:30 GMT', DATE, 90_000],
    [503, 'Wed, 21 Oct 2026 07:27:00 GMT', DATE, undefined],
    [503, 'Wed, 21 Oct 2026 07:29:30 GMT', '', undefined],
    [503, '-5', DATE, undefined],
    [503, '1.5', '', undefined],
    [429, 'soon', DATE, undefined],
    [500, '120', '', undefined],
    [408, '120', '', undefined],
  ])('after %i with Retry-After "%s" at "%s" is left alone for %s ms', (status, given, date, retryAfterMs) => {
    const message = `${ORIGIN} answered ${status}`;
    const headers = { 'retry-after': given, ...(date && { date }) };
    expect(answered(status, '', { headers })).toEqual({
      ...{ kind: 'retry', message },
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  });

  it('lets the failure say whether to try again, where a header says something else', () => {
    const headers = { 'nexus-request-retryable': 'false' };
    expect(answered(500, override(true), { headers })).toMatchObject({ kind: 'retry' });
  });

  it('shows a text of the endpoint as the caller of this lets it, quoted and cut', () => {
    expect(answered(400, { message: 'bad\r\nsecret' })).toMatchObject({
      message: `${ORIGIN} answered 400: "bad\\r\\n…"`,
    });
    const { message } = answered(400, { message: 'x'.repeat(5_000) }) as { message: string };
    expect(message.length).toBeLessThan(200);
  });

  it('says something of every answer, and takes nothing but 2xx for delivered', () => {
    const body = fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(override(false))));
    const type = fc.constantFrom('application/json', 'text/html', '');
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), body, type, (status, text, contentType) => {
        const result = answered(status, text, { type: contentType });
        expect(result.kind === 'delivered').toBe(status >= 200 && status < 300);
        if (result.kind !== 'delivered') expect(result.message).toContain(String(status));
        if (result.kind === 'refused') expect(status).toBe(404);
      }),
    );
  });
});

describe('resultOfError', () => {
  const coded = (code: string, message = code) => Object.assign(new Error(message), { code });

  it.each([
    [coded('ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.5:443'), 'connect ECONNREFUSED 10.0.0.5:443'],
    [coded('ENOTFOUND', 'getaddrinfo ENOTFOUND temporal.example.com'), 'getaddrinfo ENOTFOUND temporal.example.com'],
    [coded('ECONNRESET', ''), 'ECONNRESET'],
    [new AggregateError([coded('ETIMEDOUT', 'connect ETIMEDOUT'), coded('EHOSTUNREACH')]), 'connect ETIMEDOUT'],
    ['thrown', 'thrown'],
  ])('tries again after %s', (error, words) => {
    expect(resultOfError(ORIGIN, error)).toEqual({ kind: 'retry', message: `${ORIGIN} did not answer: ${words}` });
  });

  it.each([
    coded('CERT_HAS_EXPIRED'),
    coded('DEPTH_ZERO_SELF_SIGNED_CERT'),
    coded('SELF_SIGNED_CERT_IN_CHAIN'),
    coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
    coded('ERR_TLS_CERT_ALTNAME_INVALID'),
  ])('raises an alarm besides after %s', (error) => {
    const alarm = `renew the certificate of ${ORIGIN}, or give its private authority as its ca in allowedCallbacks`;
    expect(resultOfError(ORIGIN, error)).toMatchObject({ kind: 'retry', alarm });
  });

  it('raises an alarm besides where the host has an address that nothing may be sent to', () => {
    const error = new ForbiddenAddress('temporal.example.com has the address 10.0.0.5: it is a private address');
    const alarm = `let ${ORIGIN} resolve to addresses that completions may go to; private ones take allowPrivateAddresses: true`;
    expect(resultOfError(ORIGIN, error)).toMatchObject({ kind: 'retry', alarm });
  });
});
