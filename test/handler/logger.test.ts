import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { consoleLoggerOptions, createConsoleLogger } from '../../src/handler/logger.ts';

const written: unknown[][] = [];
beforeEach(() => {
  written.length = 0;
  for (const method of ['debug', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((...args) => void written.push(args));
  }
});
afterEach(() => void vi.restoreAllMocks());

const LAMBDA = { AWS_LAMBDA_FUNCTION_NAME: 'f' };
const loggerOf = (env: Record<string, string>) => createConsoleLogger(consoleLoggerOptions(env));

describe('the logger of a handler that brings none', () => {
  it('writes text outside Lambda', () => {
    loggerOf({}).info('hello', { a: 1 });
    loggerOf({}).info('alone');
    expect(written).toEqual([['hello', { a: 1 }], ['alone']]);
  });

  it('writes one JSON object a line on Lambda', () => {
    loggerOf(LAMBDA).warn('careful', { a: 1 });
    expect(written).toEqual([['{"level":"WARN","message":"careful","a":1}']]);
  });

  it('leaves the JSON to a runtime that writes it, at the level that the function has', () => {
    const logger = loggerOf({ ...LAMBDA, AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'WARN' });
    logger.info('not this');
    logger.error('this', { a: 1 });
    expect(written).toEqual([[{ message: 'this', a: 1 }]]);
  });

  it('says of an error what it is, with its causes, and nothing of what an HTTP client hangs onto it', () => {
    const cause = Object.assign(new RangeError('inner'), { code: 'E_RANGE' });
    const error = Object.assign(new TypeError('outer', { cause }), {
      config: { headers: { Authorization: 'Bearer secret' } },
    });
    loggerOf(LAMBDA).error('failed', { error });
    const [[line]] = written as [[string]];
    expect(JSON.parse(line)).toMatchObject({
      error: { name: 'TypeError', message: 'outer', stack: error.stack, cause: { message: 'inner', code: 'E_RANGE' } },
    });
    expect(line).not.toContain('secret');
  });

  it('writes what JSON cannot hold, and never throws', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const error = new Error('loop');
    error.cause = error;
    const bad = {
      get trap() {
        throw new Error('a getter');
      },
    };
    loggerOf(LAMBDA).info('odd', { big: 10n, cyclic, error, bad, when: new Date(0), text: () => 1 });
    const [[line]] = written as [[string]];
    expect(JSON.parse(line)).toMatchObject({
      message: 'odd',
      big: '10',
      when: '1970-01-01T00:00:00.000Z',
      bad: expect.stringContaining('a getter'),
    });
  });

  it('cuts what refers to itself in many ways, and keeps its own words', () => {
    const nodes: Record<string, unknown>[] = Array.from({ length: 12 }, () => ({}));
    for (const node of nodes) for (const [index, other] of nodes.entries()) node[`n${index}`] = other;
    loggerOf(LAMBDA).warn('ours', { graph: nodes[0], message: 'theirs', level: 'silly' });
    const [[line]] = written as [[string]];
    expect(line.length).toBeLessThan(200_000);
    expect(JSON.parse(line)).toMatchObject({ level: 'WARN', message: 'ours' });
  });

  it('falls back to the message alone where an object throws while it is written', () => {
    const meta = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    );
    loggerOf(LAMBDA).info('still here', meta);
    expect(written.at(-1)).toContainEqual(expect.stringContaining('still here'));
  });
});
