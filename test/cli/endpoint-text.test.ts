import { describe, expect, it } from 'vitest';
import { formatEndpoint, formatEndpoints } from '../../src/cli/endpoint-text.ts';
import type { EndpointDescription, EndpointSummary } from '../../src/router/endpoint-description.ts';

const SHOWN = { now: Date.UTC(2026, 0, 31, 9, 30), offsetAt: () => 60 };

const mark = { author: 'iam:arn:aws:iam::1:role/OnCall', reason: 'incident\n42', since: '2026-01-31T09:20:00.000Z' };
const until = '2026-01-31T11:20:00.000Z';

const SHOP: EndpointSummary = {
  name: 'shop',
  description: 'what the\u001b[31m shop sells',
  target: { namespace: 'default', taskQueue: 'orders' },
  version: 7,
  owner: 'arn:aws:cloudformation:eu-west-1:1:stack/Shop#ShopEntry',
  drift: [
    { setting: 'requestsPerSecond', declared: 100, effective: 5, ...mark, until },
    { setting: 'retryAttempts', effective: 3, ...mark },
  ],
};

const DESCRIBED: EndpointDescription = {
  ...SHOP,
  settings: {
    declared: { requestsPerSecond: 100 },
    override: { requestsPerSecond: { value: 5, ...mark, until }, retryAttempts: { value: 3, ...mark } },
    effective: {
      ...{
        requestsPerSecond: 5,
        burst: 5,
        retryAttempts: 3,
        circuitFailures: 5,
        circuitOpenMs: 60_000,
        retryInitialMs: 1_000,
      },
      ...{ retryMaxMs: 3_600_000, poisonAttempts: 5 },
    },
  },
  callers: ['basic:shop', 'iam:*'],
  functionArn: 'arn:aws:lambda:eu-west-1:1:function:Shop:live',
  services: [{ name: 'orders', operations: ['place'] }],
  queued: ['orders/place'],
  createdAt: '2026-01-01T09:30:00.000Z',
  lastModifiedAt: '2026-01-30T09:30:00.000Z',
  operations: { queued: 3, claimed: 0, ended: 12 },
  circuit: { status: 'open' },
};

describe('a list', () => {
  it('has a line for each, with its state and what differs from its deploy', () => {
    const { owner: _, description: __, ...bank } = SHOP;
    const paused = { ...bank, name: 'bank', paused: mark, drift: [] };
    expect(formatEndpoints([paused, SHOP], SHOWN).split('\n')).toEqual([
      'NAME  NAMESPACE  TASK QUEUE  VERSION  STATE   DRIFT                                                DESCRIPTION',
      'bank  default    orders      7        paused',
      'shop  default    orders      7        active  requestsPerSecond 100 -> 5, retryAttempts none -> 3  what the [31m shop sells',
    ]);
  });

  it('is empty without endpoints', () => {
    expect(formatEndpoints([], SHOWN)).toBe('');
  });
});

describe('an endpoint', () => {
  it('is shown with both layers of its settings, and with who changed what, why, since when and until when', () => {
    expect(formatEndpoint(DESCRIBED, SHOWN).split('\n')).toEqual([
      'endpoint     shop',
      'description  what the [31m shop sells',
      'target       task queue orders, namespace default',
      'version      7',
      'state        active',
      'circuit      open',
      'drift        requestsPerSecond is 5, declared 100, by iam:arn:aws:iam::1:role/OnCall since 2026-01-31T10:20:00+01:00 ' +
        '(10m ago), until 2026-01-31T12:20:00+01:00 (in 1h50m): incident 42',
      '             retryAttempts is 3, declared without a limit, by iam:arn:aws:iam::1:role/OnCall since ' +
        '2026-01-31T10:20:00+01:00 (10m ago): incident 42',
      'operations   3 queued, 12 ended',
      'queued       orders/place',
      'callers      basic:shop, iam:*',
      'function     arn:aws:lambda:eu-west-1:1:function:Shop:live',
      'deployed by  arn:aws:cloudformation:eu-west-1:1:stack/Shop#ShopEntry',
      'declared     2026-01-30T10:30:00+01:00 (1d ago)',
      '',
      'SETTING                     IN EFFECT  DECLARED           OVERRIDE  UNIT',
      'requestsPerSecond           5          100                5         starts a second',
      'burst                       5          100 (default)                starts',
      'requestsPerSecondPerCaller  no limit   no limit                     starts a second of one caller',
      'burstPerCaller              no limit   no limit                     starts of one caller',
      'concurrency                 no limit   no limit                     operations at a time',
      'circuitFailures             5          5 (default)                  consecutive failures',
      'circuitOpenMs               60000      60000 (default)              milliseconds',
      'retryInitialMs              1000       1000 (default)               milliseconds',
      'retryMaxMs                  3600000    3600000 (default)            milliseconds',
      'retryAttempts               3          no limit           3         attempts',
      'poisonAttempts              5          5 (default)                  attempts that crashed',
    ]);
  });

  it('says that nothing drifted, that it is paused, and that no stack deployed it', () => {
    const { owner: _, ...other } = DESCRIBED;
    const lines = formatEndpoint(
      { ...other, drift: [], paused: { ...mark, until }, queued: [], operations: {} },
      SHOWN,
    );
    expect(lines).toContain('drift        none: all settings are as declared');
    expect(lines).toContain(
      'state        paused by iam:arn:aws:iam::1:role/OnCall since 2026-01-31T10:20:00+01:00 (10m ago), until ' +
        '2026-01-31T12:20:00+01:00 (in 1h50m): incident 42',
    );
    expect(lines).toContain('deployed by  no stack: create, update and delete change it');
    expect(lines).toContain('queued       none');
    expect(lines).toContain('operations   none');
  });
});
