import type { LambdaHttpResult } from '../handler/invocation.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { InvokeError } from './errors.ts';

/** Headers that belong to one connection or to the framing of a body; whoever writes the response sets its own. */
const FRAMING = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding', 'upgrade']);

/**
 * The HTTP response that a Lambda handler's answer stands for. Fails with an {@link InvokeError} `bad-answer` for an
 * answer of another shape, as a middleware of the handler may make one.
 */
export function toHttpResponse(answer: LambdaHttpResult): NexusHttpResponse {
  const problem = resultProblem(answer);
  if (problem !== undefined) {
    throw new InvokeError(
      'bad-answer',
      `the handler's answer is no HTTP response: ${problem}; look at its middlewares`,
    );
  }
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(
      Object.entries(answer.headers ?? {})
        .map(([name, value]): [string, string] => [name.toLowerCase(), value])
        .filter(([name]) => !FRAMING.has(name)),
    ),
    body: new Uint8Array(Buffer.from(answer.body ?? '', answer.isBase64Encoded ? 'base64' : 'utf8')),
  };
}

/** What keeps a handler's answer from being an HTTP response; `undefined` where it is one. */
export function resultProblem(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null)
    return `expected an object, got ${answer === null ? 'null' : typeof answer}`;
  const { statusCode, headers = {}, body = '' } = answer as Record<string, unknown>;
  if (typeof statusCode !== 'number' || !Number.isInteger(statusCode) || statusCode < 200 || statusCode > 599) {
    return `statusCode must be a number from 200 to 599, got ${JSON.stringify(statusCode)}`;
  }
  if (typeof body !== 'string') return `body must be a string, got ${typeof body}`;
  if (typeof headers !== 'object' || headers === null) return 'headers must be an object';
  const odd = Object.entries(headers).find(([name, value]) => !isHeader(name, value));
  return odd && `header ${JSON.stringify(odd[0])} cannot be sent with the value ${JSON.stringify(odd[1])}`;
}

function isHeader(name: string, value: unknown): boolean {
  return (
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
  );
}
