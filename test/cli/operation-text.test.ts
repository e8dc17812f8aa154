import { describe, expect, it } from 'vitest';
import { formatCounts, formatDescription, formatOperations, formatResult } from '../../src/cli/operation-text.ts';
import type { OperationDescription, OperationSummary } from '../../src/router/operation-description.ts';

const SHOWN = { now: Date.UTC(2026, 0, 31, 9, 30), offsetAt: () => 60 };

const QUEUED: OperationSummary = {
  token: 'hash.secret',
  endpoint: 'shop',
  service: 'orders',
  operation: 'place',
  state: 'queued',
  acceptedAt: '2026-01-31T09:20:00.000Z',
  attempt: 4,
  nextAttemptAt: '2026-01-31T09:30:37.000Z',
  lastFailure: { at: '2026-01-31T09:29:30.000Z', attempt: 3, message: 'database is down\nat line 1' },
};

const DESCRIBED: OperationDescription = {
  ...QUEUED,
  principal: 'basic:shop',
  namespace: 'default',
  taskQueue: 'orders',
  requestId: 'request-1',
  input: { bytes: 14, contentType: 'application/json' },
  links: [{ url: 'temporal:///namespaces/n/workflows/w/r/history', type: 'temporal.link' }],
  expiresAt: '2026-01-31T10:20:00.000Z',
  forgottenAt: '2026-02-01T10:20:00.000Z',
  policy: { initialMs: 500, maxMs: 3_600_000, poisonAttempts: 5 },
  crashes: 0,
  callback: { origin: 'https://temporal.example:7243' },
};

const ENDED = { state: 'failed', at: '2026-01-31T09:29:00.000Z', message: 'no tea left' } as const;

describe('a list', () => {
  it('has a line for each, with its attempt, its age, when it goes on, and what went wrong', () => {
    expect(formatOperations([QUEUED], SHOWN).split('\n')).toEqual([
      'TOKEN        ENDPOINT  OPERATION     STATE   ATTEMPT  AGE  NEXT    LAST FAILURE',
      'hash.secret  shop      orders/place  queued  4        10m  in 37s  database is down at line 1',
    ]);
  });

  it.each([
    ['failed', undefined, 'no tea left'],
    ['failed', { state: 'delivered', attempts: 1 }, 'no tea left'],
    ['failed, completion refused', { state: 'refused', attempts: 1, lastFailure: 'answered 404' }, 'answered 404'],
    ['failed, completion dead-lettered', { state: 'dead-lettered', attempts: 1 }, 'no tea left'],
  ] as const)('says of one that ended "%s", and shows what is in its way', (state, completion, message) => {
    const { nextAttemptAt: _, ...ended } = QUEUED;
    const operation = { ...ended, state: 'ended', outcome: ENDED, ...(completion && { completion }) } as const;
    const line = formatOperations([operation], SHOWN).split('\n')[1] ?? '';
    expect(line.split(/ {2,}/).slice(3)).toEqual([state, '4', '10m', message]);
  });
});

it('writes counts under each other, their last digits too', () => {
  expect(formatCounts({ counts: { queued: 5, ended: 12_000 }, total: 12_005 }).split('\n')).toEqual([
    'queued      5',
    'ended   12000',
    'total   12005',
  ]);
});

describe('a description', () => {
  it('fits on one screen, and ends with what to type', () => {
    expect(formatDescription(DESCRIBED, SHOWN).split('\n')).toEqual([
      'operation     orders/place of endpoint shop',
      'token         hash.secret',
      'state         queued',
      'next attempt  attempt 4, 2026-01-31T10:30:37+01:00 (in 37s)',
      'last failure  attempt 3, 2026-01-31T10:29:30+01:00 (30s ago): database is down at line 1',
      'callback      https://temporal.example:7243',
      'accepted      2026-01-31T10:20:00+01:00 (10m ago) from basic:shop',
      'times out     2026-01-31T11:20:00+01:00 (in 50m)',
      'forgotten     2026-02-01T11:20:00+01:00 (in 1d)',
      'input         14 bytes of application/json',
      'request id    request-1',
      'target        task queue orders, namespace default',
      'retries       after 500ms, doubling to 1h, as long as it has time; dead-lettered after 5 crashes',
      'link          temporal:///namespaces/n/workflows/w/r/history (temporal.link)',
      'type          npx nexus-lambda operation retry hash.secret',
    ]);
  });

  it('says what keeps the next attempt from beginning', () => {
    const blockedReason = 'endpoint "shop" is paused: the database moves';
    expect(formatDescription({ ...DESCRIBED, blockedReason }, SHOWN)).toContain(`blocked       ${blockedReason}`);
  });

  it("says where a crash's log is, with the command that shows it", () => {
    const crash = { invocation: 'i-1', logStream: '2026/01/31/[$LATEST]a' };
    const lastFailure = { at: QUEUED.acceptedAt, attempt: 3, message: 'never ended', crash };
    const crashed = { ...DESCRIBED, state: 'dead-lettered', lastFailure, crashes: 5 } as const;
    const text = formatDescription({ ...crashed, functionArn: 'arn:aws:lambda:eu-west-1:1:function:f:live' }, SHOWN);
    expect(text).toContain('state         dead-lettered: it crashed too often, and waits for somebody');
    expect(text).toContain('its log       invocation i-1, stream 2026/01/31/[$LATEST]a');
    expect(text).toContain(
      'aws logs filter-log-events --log-group-name "$(aws lambda get-function-configuration --function-name ' +
        'arn:aws:lambda:eu-west-1:1:function:f:live --query LoggingConfig.LogGroup --output text)" ' +
        `--log-stream-names '2026/01/31/[$LATEST]a' --filter-pattern '"i-1"'`,
    );
    expect(text).toContain('crashes       5 of 5 that dead-letter it');
    expect(text).toMatch(/npx nexus-lambda operation redrive hash\.secret$/);
    const endpointGone = formatDescription(crashed, SHOWN);
    expect(endpointGone).toContain('its log       invocation i-1, stream 2026/01/31/[$LATEST]a');
    expect(endpointGone).not.toContain('aws logs');
    const inDev = { ...crashed, lastFailure: { ...lastFailure, crash: { invocation: 'i-1' } } };
    expect(formatDescription(inDev, SHOWN)).toContain('its log       on the terminal of nexus-lambda dev');
  });

  it('says how the attempt that runs, a cancel and a hand-over are getting on', () => {
    const claim = { attempt: 4, leaseUntil: '2026-01-31T09:31:00.000Z', invocation: 'i-1', logStream: 'stream' };
    expect(formatDescription({ ...DESCRIBED, state: 'claimed', claim }, SHOWN)).toContain(
      'runs          attempt 4, until 2026-01-31T10:31:00+01:00 (in 1m); invocation i-1, log stream stream',
    );
    const cancel = { requestedAt: '2026-01-31T09:29:00.000Z', forward: 'pending' } as const;
    const text = formatDescription({ ...DESCRIBED, state: 'handed-over', innerToken: 'workflow', cancel }, SHOWN);
    expect(text).toContain('inner token   workflow');
    expect(text).toContain('cancel        asked for 2026-01-31T10:29:00+01:00 (1m ago), not passed on yet');
  });

  it('says that it was promoted, or that its caller was answered', () => {
    const claim = { attempt: 1, leaseUntil: '2026-01-31T09:31:00.000Z', invocation: '' };
    const promoted = { ...DESCRIBED, state: 'claimed', claim, promotedAt: '2026-01-31T09:20:09.000Z' } as const;
    const text = formatDescription(promoted, SHOWN);
    expect(text).toContain('runs          attempt 1, until 2026-01-31T10:31:00+01:00 (in 1m)\n');
    expect(text).toContain(
      'promoted      2026-01-31T10:20:09+01:00 (9m51s ago): its handler took longer than its caller waits',
    );
    const { callback: _, ...direct } = DESCRIBED;
    const answered = { ...direct, state: 'ended', outcome: ENDED, answeredAt: ENDED.at } as const;
    const lines = formatDescription(answered, SHOWN).split('\n');
    expect(lines).toContain('state         ended: failed');
    expect(lines).toContain('completion    none: its caller was answered with the outcome');
  });

  it("says nothing of a log that nobody knows of a crash's", () => {
    const crash = { invocation: '' };
    const lastFailure = { at: QUEUED.acceptedAt, attempt: 1, message: 'never ended', crash };
    const text = formatDescription({ ...DESCRIBED, lastFailure, functionArn: 'arn' }, SHOWN);
    expect(text).toContain('its log       that of the function, at that time');
  });

  it('says how far the completion is, and what its last attempt came to', () => {
    const completion = {
      state: 'pending',
      attempts: 3,
      nextAttemptAt: '2026-01-31T09:30:08.000Z',
      lastFailure: 'https://temporal.example:7243 answered 503',
    } as const;
    const lines = formatDescription({ ...DESCRIBED, state: 'ended', outcome: ENDED, completion }, SHOWN).split('\n');
    expect(lines).toContain('state         ended: failed');
    expect(lines).toContain('outcome       failed 2026-01-31T10:29:00+01:00 (1m ago): no tea left');
    const index = lines.indexOf('completion    pending, 3 attempts made, the next 2026-01-31T10:30:08+01:00 (in 8s)');
    expect(lines[index + 1]).toBe('              https://temporal.example:7243 answered 503');
    expect(lines.at(-1)).toContain('operation redrive');
  });

  it('points at the result of one that ended and is delivered, or polled', () => {
    const { callback: _, ...polled } = DESCRIBED;
    const text = formatDescription({ ...polled, state: 'ended', outcome: ENDED }, SHOWN);
    expect(text).toContain('callback      none: its caller polls');
    expect(text).toMatch(/operation result hash\.secret$/);
  });

  it('shows names and messages of others as one line each', () => {
    const hostile = 'a\u001b[2J\nb';
    const text = formatDescription({ ...DESCRIBED, requestId: hostile, principal: hostile, taskQueue: hostile }, SHOWN);
    expect(text.split('\n')).toHaveLength(15);
    expect(text).not.toContain('\u001b');
  });
});

describe('a result', () => {
  const token = 'hash.secret';
  const at = ENDED.at;
  it.each([
    ['JSON', { encoding: 'json/plain', value: { id: 1 } }, '{\n  "id": 1\n}'],
    ['false', { encoding: 'json/plain', value: false }, 'false'],
    ['nothing', { encoding: 'binary/null' }, 'nothing'],
    ['bytes', { encoding: 'binary/plain', base64: 'YQ==' }, 'YQ==\n(base64 of a result in encoding binary/plain)'],
  ])('that is %s is shown as it is', (_what, result, text) => {
    expect(formatResult({ token, state: 'succeeded', at, result }, SHOWN)).toBe(text);
  });

  it('that is a failure is shown with its causes', () => {
    const failure = { message: 'no tea', cause: { message: 'closed', cause: { encodedAttributes: {} } } };
    expect(formatResult({ token, state: 'failed', at, failure }, SHOWN).split('\n')).toEqual([
      'failed 2026-01-31T10:29:00+01:00 (1m ago)',
      'no tea',
      'caused by: closed',
      'caused by: the message is encrypted',
    ]);
  });

  it.each([
    ['queued', /^no result yet: it is queued$/],
    ['handed-over', /^no result here: the handler answered with a token of its own/],
  ] as const)('that is not there, of one that is %s, is said so', (state, text) => {
    expect(formatResult({ token, state }, SHOWN)).toMatch(text);
  });
});
