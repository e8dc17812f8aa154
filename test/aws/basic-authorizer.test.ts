import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type AuthorizerAnswer, type AuthorizerEvent, createBasicAuthorizer } from '../../src/aws/basic-authorizer.ts';
import { FRESH_MS, READ_SPACING_MS } from '../../src/aws/credential-view.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { FakeSecret } from './fake-secret.ts';
import { SimulatedTime } from './simulated-time.ts';

const ALLOWED: AuthorizerAnswer = { isAuthorized: true, context: { principal: 'basic:temporal' } };
const DENIED: AuthorizerAnswer = { isAuthorized: false };

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function eventOf(authorization: string): AuthorizerEvent {
  return { version: '2.0', identitySource: [authorization], headers: { authorization } };
}

function secretWith(password: string): string {
  return JSON.stringify({ temporal: password });
}

/** An environment of the authorizer of a secret that holds the user "temporal" with the password "v1". */
function setUp() {
  const time = new SimulatedTime();
  const secret = new FakeSecret(time, secretWith('v1'));
  const environment = () =>
    createBasicAuthorizer({
      reader: secret,
      clock: time,
      wait: (ms) => time.wait(ms),
      logger: recordingLogger().logger,
    });
  const authorizer = environment();
  return {
    time,
    secret,
    environment,
    authorizer,
    call: (password: string) => authorizer(eventOf(basic('temporal', password))),
  };
}

/** What comes of a call while as much time passes as it needs. */
async function outcomeOf(call: Promise<AuthorizerAnswer>, time: SimulatedTime): Promise<AuthorizerAnswer> {
  const outcome = call.catch((error) => error);
  await time.pass(20_000);
  return outcome;
}

describe('the authorizer', () => {
  it('lets in whom the secret holds, and says who it is', async () => {
    const { call, time, secret, authorizer } = setUp();
    expect(await call('v1')).toEqual(ALLOWED);
    expect(await outcomeOf(call('v2'), time)).toEqual(DENIED);
    secret.stage('{"größe": "ß:ß"}');
    expect(await outcomeOf(authorizer(eventOf(basic('größe', 'ß:ß'))), time)).toEqual({
      isAuthorized: true,
      context: { principal: 'basic:größe' },
    });
  });

  it.each([undefined, '', 'Bearer e30.e30.e30', 'Basic', 'Basic !', basic('temporal', 'v1').slice(6)])(
    'denies the header %j without a read',
    async (authorization) => {
      const { authorizer, secret } = setUp();
      expect(await authorizer(authorization === undefined ? { version: '2.0' } : eventOf(authorization))).toEqual(
        DENIED,
      );
      expect(secret.readsAt).toEqual([]);
    },
  );

  it('goes by the header that its answer is cached by', async () => {
    const { authorizer, time } = setUp();
    const good = basic('temporal', 'v1');
    const bad = basic('temporal', 'bad');
    const answer = authorizer({ version: '2.0', identitySource: [bad], headers: { authorization: good } });
    expect(await outcomeOf(answer, time)).toEqual(DENIED);
    expect(await authorizer({ version: '2.0', identitySource: null, headers: { authorization: good } })).toEqual(
      ALLOWED,
    );
  });

  it('fails when it is given another payload format, which would deny everybody', async () => {
    const { authorizer } = setUp();
    const event = { version: '1.0', identitySource: basic('temporal', 'v1') } as unknown as AuthorizerEvent;
    await expect(authorizer(event)).rejects.toThrow(
      'this authorizer takes payload format 2.0 with simple responses, got "1.0"',
    );
  });

  it('does not load without the variable that names its secret', async () => {
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('NEXUS_BASIC_SECRET_ARN', '');
    await expect(import('../../functions/authorizer.ts')).rejects.toThrow(/^NEXUS_BASIC_SECRET_ARN is not set; /);
    vi.stubEnv('NEXUS_BASIC_SECRET_ARN', 'arn:aws:secretsmanager:eu-west-1:1:secret:basic');
    vi.resetModules();
    expect((await import('../../functions/authorizer.ts')).handler).toBeTypeOf('function');
  });
});

describe('a rotation', () => {
  it('lets the old and the new password in from its first step to the next rotation', async () => {
    const { call, secret, time, environment } = setUp();
    const cold = (password: string) => environment()(eventOf(basic('temporal', password)));
    async function answersTo(...passwords: string[]): Promise<boolean[]> {
      const answers: boolean[] = [];
      for (const password of passwords) {
        const warm = await outcomeOf(call(password), time);
        expect(await outcomeOf(cold(password), time)).toEqual(warm);
        answers.push(warm.isAuthorized);
      }
      return answers;
    }

    expect(await answersTo('v1', 'v2')).toEqual([true, false]);
    secret.stage(secretWith('v2'));
    expect(await answersTo('v1', 'v2')).toEqual([true, true]);
    secret.promote();
    expect(await answersTo('v1', 'v2')).toEqual([true, true]);
    secret.stage(secretWith('v3'));
    expect(await answersTo('v1', 'v2', 'v3')).toEqual([true, true, true]);
    secret.promote();
    await time.pass(FRESH_MS);
    expect(await answersTo('v1', 'v2', 'v3')).toEqual([false, true, true]);
  });

  it('ends the old password within a minute where the new one is put twice', async () => {
    const { call, secret, time } = setUp();
    expect(await call('v1')).toEqual(ALLOWED);
    secret.put(secretWith('v2'));
    secret.put(secretWith('v2'));
    await time.pass(FRESH_MS);
    expect(await outcomeOf(call('v1'), time)).toEqual(DENIED);
  });

  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('call' as const), stage: fc.nat(2) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        ms: fc.oneof(fc.constantFrom(0, 10), fc.nat(1_500), fc.nat(90_000)),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('stage', 'promote', 'roll back', 'discard') }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('guess' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('slow' as const),
        readMs: fc.nat(4_000),
        lookedAt: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), down: fc.boolean() }) },
  );
  const steps = fc.array(step, { maxLength: 60 });
  const RUNS = { numRuns: 500 };
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  /**
   * Takes these steps against one environment, and returns what came of the calls. Each version has its own password, and
   * a step that would take away one that a call is under way with is left out.
   */
  async function take(taken: readonly Step[], mayFail: boolean) {
    const { time, secret, call } = setUp();
    const inUse = new Map<string, number>();
    const good: unknown[] = [];
    const guesses: unknown[] = [];
    let versions = 1;

    function start(password: string, answers: unknown[]): void {
      const count = (change: number) => inUse.set(password, (inUse.get(password) ?? 0) + change);
      count(1);
      call(password)
        .catch((error) => error)
        .then((answer) => {
          answers.push(answer);
          count(-1);
        });
    }
    const passwordOf = (text: string | undefined): string => (text === undefined ? '' : JSON.parse(text).temporal);
    const isFree = (text: string | undefined) => !inUse.get(passwordOf(text));

    for (const one of taken) {
      const { current, previous, pending } = secret.stages;
      if (one.do === 'pass') await time.pass(one.ms);
      else if (one.do === 'slow') Object.assign(secret, { readMs: one.readMs, lookedAt: one.lookedAt });
      else if (one.do === 'guess') start('guess', guesses);
      else if (one.do === 'fail') secret.failure = mayFail && one.down ? new Error('down') : undefined;
      else if (one.do === 'call') start(passwordOf([current, previous, pending][one.stage] ?? current), good);
      else if (one.do === 'stage' && isFree(pending)) secret.stage(secretWith(`v${++versions}`));
      else if (one.do === 'discard' && isFree(pending)) secret.stage(undefined);
      else if (one.do === 'promote' && pending !== undefined && isFree(previous)) secret.promote();
      else if (one.do === 'roll back' && previous !== undefined) secret.rollBack();
    }
    await time.pass(60_000);
    const calls = taken.filter((one) => one.do === 'call').length;
    expect(good).toHaveLength(calls);
    return { good, guesses, readsAt: secret.readsAt };
  }

  it('never denies a credential that is in one of the three stages while its call lasts, and always a guess', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const { good, guesses } = await take(taken, false);
        for (const answer of good) expect(answer).toEqual(ALLOWED);
        for (const answer of guesses) expect(answer).toEqual(DENIED);
      }),
      RUNS,
    );
  });

  it('at worst fails, and never lets a guess in, where Secrets Manager fails now and then', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const { good, guesses } = await take(taken, true);
        for (const answer of good) expect([ALLOWED, new Error('down')]).toContainEqual(answer);
        for (const answer of guesses) expect([DENIED, new Error('down')]).toContainEqual(answer);
      }),
      RUNS,
    );
  });

  it('never makes two reads within a second', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const { readsAt } = await take(taken, true);
        for (const [n, at] of readsAt.slice(1).entries()) {
          expect(at - (readsAt[n] ?? 0)).toBeGreaterThanOrEqual(READ_SPACING_MS);
        }
      }),
      RUNS,
    );
  });
});
