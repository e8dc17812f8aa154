import { expect, it } from 'vitest';
import { createCredentialView, FRESH_MS, READ_SPACING_MS } from '../../src/aws/credential-view.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { FakeSecret } from './fake-secret.ts';
import { SimulatedTime } from './simulated-time.ts';

const GOOD = { user: 'temporal', password: 'good' };
const BAD = { user: 'temporal', password: 'bad' };

function secretWith(password: string): string {
  return JSON.stringify({ temporal: password });
}

/** A view of a secret that holds GOOD. */
function setUp(current: string | undefined = secretWith(GOOD.password)) {
  const time = new SimulatedTime();
  const secret = new FakeSecret(time, current);
  const { logger, lines } = recordingLogger();
  const view = createCredentialView({ reader: secret, clock: time, wait: (ms) => time.wait(ms), logger });
  const startedAt = time.now();
  return {
    time,
    secret,
    lines,
    view,
    /** When each read started, counted from now. */
    reads: () => secret.readsAt.map((at) => at - startedAt),
    /** What comes of credentials within so many milliseconds. */
    async outcome(credentials: typeof GOOD, withinMs = 0) {
      let outcome: string | undefined = 'still waits';
      view.authenticate(credentials).then(
        (user) => {
          outcome = user;
        },
        (error: Error) => {
          outcome = `failed: ${error.message}`;
        },
      );
      await time.pass(withinMs);
      return outcome;
    },
  };
}

it('reads the secret once, for all that come while it is fresh', async () => {
  const { outcome, time, reads } = setUp();
  for (let n = 0; n < 10; n++) {
    expect(await outcome(GOOD)).toBe('temporal');
    await time.pass(FRESH_MS / 10 - 1);
  }
  expect(reads()).toEqual([0]);
});

it('reads it again when it is a minute old, before it lets anybody in', async () => {
  const { outcome, time, secret, reads } = setUp();
  await outcome(GOOD);
  secret.put('{}');
  secret.put('{}');
  await time.pass(FRESH_MS - 1);
  expect(await outcome(GOOD)).toBe('temporal');
  await time.pass(1);
  expect(await outcome(GOOD)).toBeUndefined();
  expect(reads()).toEqual([0, FRESH_MS]);
});

it('counts its age from the start of the read', async () => {
  const { outcome, time, secret } = setUp();
  secret.readMs = 4_000;
  await outcome(GOOD, 4_000);
  await time.pass(FRESH_MS - 4_000);
  expect(await outcome(GOOD)).toBe('still waits');
  expect(secret.readsAt).toHaveLength(2);
});

it('reads it again when the clock was set back', async () => {
  const { outcome, time, secret } = setUp();
  await outcome(GOOD);
  time.nowMs -= 3_600_000;
  await outcome(GOOD);
  expect(secret.readsAt).toHaveLength(2);
});

it('lets in at once what was put after the last read', async () => {
  const { outcome, time, secret } = setUp();
  await outcome(GOOD);
  await time.pass(5_000);
  secret.stage(secretWith('next'));
  expect(await outcome({ ...GOOD, password: 'next' })).toBe('temporal');
});

it('denies by a read that started after the request, which waits its turn', async () => {
  const { outcome, secret, reads } = setUp();
  expect(await outcome(GOOD)).toBe('temporal');
  expect(await outcome(BAD, READ_SPACING_MS - 1)).toBe('still waits');
  secret.stage(secretWith(BAD.password));
  expect(await outcome(GOOD, 1)).toBe('temporal');
  expect(reads()).toEqual([0, READ_SPACING_MS]);
});

it('denies by the first read, which is younger than the request', async () => {
  const { outcome, reads } = setUp();
  expect(await outcome(BAD)).toBeUndefined();
  expect(reads()).toEqual([0]);
});

it('does not deny by a read that was under way when the request came', async () => {
  const { outcome, time, secret, view, reads } = setUp();
  secret.readMs = 400;
  secret.lookedAt = 0;
  const first = view.authenticate(GOOD);
  await time.pass(200);
  secret.stage(secretWith('next'));
  expect(await outcome({ ...GOOD, password: 'next' }, 1_200)).toBe('temporal');
  expect(await first).toBe('temporal');
  expect(reads()).toEqual([0, READ_SPACING_MS]);
});

it('lets in by a read that was under way when the request came', async () => {
  const { outcome, time, secret, view, reads } = setUp();
  secret.readMs = 400;
  const first = view.authenticate(GOOD);
  await time.pass(200);
  expect(await outcome(GOOD, 200)).toBe('temporal');
  expect(await first).toBe('temporal');
  expect(reads()).toEqual([0]);
});

it('makes one read a second of a flood of bad credentials, and denies each within a second', async () => {
  const { time, view, reads } = setUp();
  const answers: (string | undefined)[] = [];
  const seconds = 10;
  for (let n = 0; n < 100 * seconds; n++) {
    view.authenticate({ user: `user-${n}`, password: 'guess' }).then((user) => answers.push(user));
    await time.pass(10);
  }
  await time.pass(READ_SPACING_MS);
  expect(answers).toEqual(Array(100 * seconds).fill(undefined));
  expect(reads()).toEqual(Array.from({ length: seconds + 1 }, (_, second) => second * READ_SPACING_MS));
});

it('lets good credentials in without a wait in the middle of such a flood', async () => {
  const { outcome, view, time } = setUp();
  await outcome(GOOD);
  const flood = Array.from({ length: 50 }, () => view.authenticate(BAD));
  expect(await outcome(GOOD)).toBe('temporal');
  await time.pass(READ_SPACING_MS);
  expect(new Set(await Promise.all(flood))).toEqual(new Set([undefined]));
});

it('goes on letting in what was read last while the secret cannot be read, however long, and says so', async () => {
  const { outcome, time, secret, lines } = setUp();
  await outcome(GOOD);
  secret.failure = new Error('down');
  await time.pass(86_400_000);
  expect(await outcome(GOOD)).toBe('temporal');
  expect(lines).toEqual([
    {
      level: 'warn',
      message: 'the secret cannot be read; the credentials that were read last go on being let in',
      meta: { ageMs: 86_400_000, error: secret.failure },
    },
  ]);
});

it('fails for unknown credentials while the secret cannot be read', async () => {
  const { outcome, secret } = setUp();
  await outcome(GOOD);
  secret.failure = new Error('down');
  expect(await outcome(BAD, READ_SPACING_MS)).toBe('failed: down');
});

it('fails for everybody while the secret was never read, and lets in once it was', async () => {
  const { outcome, secret, reads } = setUp();
  secret.failure = new Error('down');
  expect(await outcome(GOOD)).toBe('failed: down');
  expect(await outcome(GOOD, READ_SPACING_MS)).toBe('failed: down');
  secret.failure = undefined;
  expect(await outcome(GOOD, READ_SPACING_MS)).toBe('temporal');
  expect(reads()).toEqual([0, 1_000, 2_000]);
});

it('reads at most each ten seconds for known credentials while the secret answers slowly or not', async () => {
  const { outcome, time, secret } = setUp();
  await outcome(GOOD);
  await time.pass(FRESH_MS);
  secret.failure = new Error('down');
  secret.readMs = 4_000;
  expect(await outcome(GOOD, 3_999)).toBe('still waits');
  await time.pass(1);
  for (let second = 4; second < 10; second++) {
    expect(await outcome(GOOD)).toBe('temporal');
    await time.pass(1_000);
  }
  expect(secret.readsAt).toHaveLength(2);
  expect(await outcome(GOOD, 0)).toBe('still waits');
  await time.pass(4_000);
  expect(secret.readsAt).toHaveLength(3);
});

it('keeps what the later of two reads found, whichever ends first', async () => {
  const { outcome, time, secret, view } = setUp();
  await outcome(GOOD);
  await time.pass(READ_SPACING_MS);
  secret.readMs = 5_000;
  secret.lookedAt = 0;
  const slow = view.authenticate(BAD);
  await time.pass(READ_SPACING_MS);
  secret.readMs = 0;
  secret.put(secretWith('second'));
  secret.put(secretWith('third'));
  expect(await outcome({ ...GOOD, password: 'third' })).toBe('temporal');
  await time.pass(5_000);
  expect(await slow).toBeUndefined();
  expect(await outcome({ ...GOOD, password: 'third' })).toBe('temporal');
  expect(await outcome(GOOD)).toBeUndefined();
});

it('fails while the current version is broken or has no value, whatever the others hold', async () => {
  for (const current of [undefined, '', '{"temporal": ""}']) {
    const { outcome, secret } = setUp();
    secret.stages = { current, previous: secretWith('good'), pending: secretWith('good') };
    expect(await outcome(GOOD)).toMatch(/^failed: the (AWSCURRENT version of the )?secret /);
  }
});

it('goes on with the last view when the current version breaks', async () => {
  const { outcome, time, secret } = setUp();
  await outcome(GOOD);
  secret.stages = { current: 'broken', previous: undefined, pending: undefined };
  await time.pass(FRESH_MS);
  expect(await outcome(GOOD)).toBe('temporal');
  expect(await outcome(BAD, READ_SPACING_MS)).toMatch(/^failed: the AWSCURRENT version of the secret cannot be used: /);
});

it('takes a broken pending or previous version as not there, and says so once a read', async () => {
  const { outcome, secret, lines } = setUp();
  secret.stages = { ...secret.stages, previous: 'hunter2', pending: '{"temporal": ["hunter2"]}' };
  expect(await outcome(GOOD)).toBe('temporal');
  expect(await outcome(GOOD)).toBe('temporal');
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ['error', expect.stringMatching(/^the AWSPREVIOUS version of the secret cannot be used: it is no JSON object; /)],
    ['error', expect.stringMatching(/^the AWSPENDING version of the secret cannot be used: member 1 of the object /)],
  ]);
  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(await outcome(BAD, READ_SPACING_MS)).toBeUndefined();
  expect(lines).toHaveLength(4);
});
