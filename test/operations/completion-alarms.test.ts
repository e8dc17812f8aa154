import { expect, it } from 'vitest';
import { ALARM_EVERY_MS, COMPLETION_ALARM, createCompletionAlarms } from '../../src/operations/completion-alarms.ts';
import type { PostResult } from '../../src/operations/completion-result.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const ORIGIN = 'https://temporal.example.com:7243';
const DENIED: PostResult = { kind: 'retry', message: `${ORIGIN} answered 401`, alarm: 'mend its access' };

function setUp() {
  const clock = new ManualClock();
  const { lines, logger } = recordingLogger();
  const alarm = createCompletionAlarms({ logger, clock });
  const raise = (token: string, result: PostResult = DENIED, { endpoint = 'shop', origin = ORIGIN } = {}) =>
    alarm({ token, endpoint, callback: { url: `${origin}/nexus/callback?secret=1`, headers: {} } }, result);
  return { clock, lines, raise };
}

it('an alarm is an error in the log that says of what, where, why, and what to mend', () => {
  const { lines, raise } = setUp();
  raise('t1');
  expect(lines).toEqual([
    {
      level: 'error',
      message: COMPLETION_ALARM,
      meta: {
        endpoint: 'shop',
        callback: ORIGIN,
        reason: `${ORIGIN} answered 401`,
        mend: 'mend its access',
        token: 't1',
        unsaid: 0,
      },
    },
  ]);
});

it('a backlog raises one in five minutes for each endpoint and origin, and says how many it has not', () => {
  const { clock, lines, raise } = setUp();
  for (const token of ['t1', 't2', 't3']) raise(token);
  raise('t4', DENIED, { endpoint: 'bank' });
  raise('t5', DENIED, { origin: 'https://other.example.com' });
  clock.nowMs += ALARM_EVERY_MS - 1;
  raise('t6');
  clock.nowMs += 1;
  raise('t7');
  clock.nowMs += ALARM_EVERY_MS;
  raise('t8');
  expect(lines.map(({ meta }) => meta)).toMatchObject([
    { token: 't1', unsaid: 0 },
    { token: 't4', endpoint: 'bank', unsaid: 0 },
    { token: 't5', callback: 'https://other.example.com', unsaid: 0 },
    { token: 't7', unsaid: 3 },
    { token: 't8', unsaid: 0 },
  ]);
});

it('what ends by itself, or has ended, raises none', () => {
  const { lines, raise } = setUp();
  raise('t1', { kind: 'delivered' });
  raise('t2', { kind: 'refused', message: '404' });
  raise('t3', { kind: 'dead-lettered', message: '400' });
  raise('t4', { kind: 'retry', message: '503' });
  expect(lines).toEqual([]);
});
