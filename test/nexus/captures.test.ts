import { describe, expect, it } from 'vitest';
import { formatCompletion, parseCompletion } from '../../src/nexus/completion.ts';
import { parseDuration } from '../../src/nexus/duration.ts';
import { formatRequest } from '../../src/nexus/format-request.ts';
import { withoutCredentials } from '../../src/nexus/headers.ts';
import { parseRequest, type StartRequest } from '../../src/nexus/request.ts';
import { type Capture, capturedCompletions, capturedRequests } from './captures.ts';

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function captured(server: string, scenario: string): Capture {
  const found = capturedRequests.find((one) => one.server === server && one.scenario === scenario);
  if (found === undefined) throw new Error(`no capture of ${scenario} from ${server}`);
  return found;
}

/** What of a message is not Nexus's: hop by hop, or the framing that the HTTP client writes. */
function essential(headers: Readonly<Record<string, string>>) {
  const transport = ['host', 'content-length', 'transfer-encoding', 'accept-encoding'];
  return Object.fromEntries(Object.entries(withoutCredentials(headers)).filter(([name]) => !transport.includes(name)));
}

describe.each(capturedRequests)('$server sends: $scenario, $path', (capture) => {
  it('formats what it parsed into an equivalent request', () => {
    const parsed = parseRequest(capture);
    const tokenIn = capture.path.split('/').length === 5 ? 'path' : 'header';
    const again = formatRequest(parsed, { tokenIn });
    expect(again.method).toBe(capture.method);
    expect(again.path).toBe(capture.path);
    expect(again.query).toBe(capture.query);
    expect(again.headers).toEqual(
      // The Source of 1.29.1 comes on cancels too, which carry no callback.
      Object.fromEntries(
        Object.entries(essential(capture.headers)).filter(
          ([name]) => parsed.kind === 'start' || !name.startsWith('nexus-callback-'),
        ),
      ),
    );
    expect(again.body).toEqual(capture.body);
    expect(parseRequest(again)).toEqual(parsed);
  });

  it('keeps credentials from whoever sees the parsed request', () => {
    expect(capture.headers.authorization).toMatch(/^Basic /);
    expect(JSON.stringify(parseRequest(capture))).not.toContain(capture.headers.authorization);
  });
});

describe.each(['1.29.1', '1.32.1'])('a start from %s', (server) => {
  const start = (scenario: string) => parseRequest(captured(server, scenario)) as StartRequest;

  it.each([
    ['json input', 'json/plain', '{"amount":1299}'],
    ['no input', 'binary/null', ''],
    ['null input', 'json/plain', 'null'],
  ])('has %s as %s', (scenario, encoding, data) => {
    const { payload } = start(scenario);
    expect(text(payload.metadata.encoding)).toBe(encoding);
    expect(text(payload.data)).toBe(data);
  });

  it('has binary input byte by byte', () => {
    const { payload } = start('binary input');
    expect(text(payload.metadata.encoding)).toBe('binary/plain');
    expect(payload.data).toEqual(captured(server, 'binary input').body);
    expect(payload.data.length).toBeGreaterThan(0);
  });

  it('has names with a space and a slash in them', () => {
    expect(start('names that need escaping')).toMatchObject({ service: 'payments.v1', operation: 'odd name/1' });
  });

  it('has the callback with the token for it, verbatim', () => {
    const { callbackUrl, callbackHeaders } = start('json input');
    expect(callbackUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/nexus\/callback$/);
    expect(JSON.parse(callbackHeaders['temporal-callback-token'] ?? '')).toMatchObject({ v: 1 });
  });

  it('has the link to the event that scheduled the operation', () => {
    const [link, ...more] = start('json input').links;
    expect(more).toEqual([]);
    expect(link?.type).toBe('temporal.api.common.v1.Link.WorkflowEvent');
    expect(link?.url.searchParams.get('eventType')).toBe('NexusOperationScheduled');
  });

  it('has one request id on all three attempts', () => {
    const attempts = capturedRequests.filter(
      (one) => one.server === server && one.scenario === 'retried twice, then answered',
    );
    const ids = attempts.map((attempt) => (parseRequest(attempt) as StartRequest).requestId);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });

  it('has both timeouts in milliseconds, whatever their notation', () => {
    const capture = captured(server, 'all timeouts');
    const { requestTimeoutMs, operationTimeoutMs } = start('all timeouts');
    expect(requestTimeoutMs).toBe(9999);
    expect(operationTimeoutMs).toBe(parseDuration(capture.headers['operation-timeout'] ?? ''));
    expect(operationTimeoutMs).toBeGreaterThan(59_000);
  });
});

it('reads the token of a cancel from the path of 1.29.1 and from the header of 1.32.1', () => {
  const cancels = capturedRequests.map((capture) => parseRequest(capture)).filter(({ kind }) => kind === 'cancel');
  expect(cancels).toMatchObject([
    { service: 'payments.v1', operation: 'charge', token: 'operation-token-1' },
    { service: 'payments.v1', operation: 'charge', token: 'operation-token-1' },
  ]);
});

it('knows which server reads failures in the new form', () => {
  const support = (server: string) => parseRequest(captured(server, 'json input')).failureSupport;
  expect(support('1.29.1')).toBe(false);
  expect(support('1.32.1')).toBe(true);
});

describe.each(capturedCompletions)('$server and the completion: $scenario', ({ headers, body }) => {
  it('parses, and parses to the same when it is formatted again', () => {
    const parsed = parseCompletion({ headers, body });
    expect(parsed.state).toBe(headers['nexus-operation-state']);
    expect(parsed.token).toBe(headers['nexus-operation-token']);
    expect(parsed.startTime?.toUTCString()).toBe(headers['nexus-operation-start-time']);
    expect(parseCompletion(formatCompletion(parsed))).toEqual(parsed);
  });
});

it('reads the same failure from the old form of 1.29.1 and the new one of 1.32.1', () => {
  const failures = capturedCompletions
    .filter(({ scenario }) => scenario === 'completion the server sends: failed')
    .map(({ headers, body }) => parseCompletion({ headers, body }));
  expect(failures).toHaveLength(2);
  for (const completion of failures) {
    expect(completion).toMatchObject({
      state: 'failed',
      failure: {
        message: 'declined',
        stackTrace: expect.stringContaining('ApplicationFailure: declined\n'),
        applicationFailureInfo: {
          type: 'CardDeclined',
          nonRetryable: true,
          details: { payloads: [{ data: 'eyJjb2RlIjo1MX0=' }] },
        },
      },
    });
  }
});
