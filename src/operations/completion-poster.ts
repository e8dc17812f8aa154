import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { VERSION } from '../handler/version.ts';
import { beforeAbort } from '../nexus/before-abort.ts';
import type { CompletionRequest } from '../nexus/completion.ts';
import { HEADER, isSendableHeader } from '../nexus/headers.ts';
import type { Headers } from '../nexus/message.ts';
import { parseAllowedCallbacks } from './allowed-callbacks.ts';
import { type AllowedCallback, type CallbackCheck, type CallbackPolicy, checkCallback } from './callback-rules.ts';
import { type PostResult, resultOfAnswer, resultOfError } from './completion-result.ts';
import { type ConnectCheckedOptions, connectChecked, type Resolve } from './connect-checked.ts';
import type { KeptSecret } from './kept-secrets.ts';

export interface CompletionPosterDeps {
  readonly callbacks: CallbackPolicy;
  /**
   * Reads the secret of a rule's `authorization`. Asked before each completion, and once more, with what it said, where the
   * callback answered that with 401 or 403: keep what it said for a while.
   */
  readonly readSecret?: KeptSecret;
  /** Default: the resolver of the operating system. */
  readonly resolve?: Resolve;
  /** Default: a TCP connection. */
  readonly connect?: ConnectCheckedOptions['connect'];
  /** Milliseconds until an answer that has not come is given up. Default 10,000: what Temporal gives its own callbacks. */
  readonly timeoutMs?: number;
}

/** Sends a completion to a callback URL, once. Never rejects for what callback and network do. */
export type PostCompletion = (url: string, completion: CompletionRequest) => Promise<PostResult>;

/** A failure is told in less; more of an answer is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** With a "/" in it, Temporal takes what is around it for the name and version of an SDK, and refuses some. */
const USER_AGENT = `nexus-lambda (${VERSION})`;

/** Headers of a completion that are no secret of anybody's. */
const PLAIN_HEADER = /^(?:content-.*|host|user-agent|nexus-link|nexus-operation-(?:state|start-time|close-time))$/;

/**
 * Makes what sends completions: to allowed callbacks at allowed addresses only, without following redirects, each over a
 * connection of its own that is closed afterwards.
 *
 * @throws TypeError for rules that {@link parseAllowedCallbacks} refuses, and for one whose `authorization` is in a secret
 * without `readSecret`.
 */
export function createCompletionPoster(deps: CompletionPosterDeps): PostCompletion {
  const { callbacks, readSecret, resolve = lookUp, connect = connectTcp, timeoutMs = 10_000 } = deps;
  const secret = parseAllowedCallbacks(callbacks.allowed).find(
    ({ authorization }) => typeof authorization === 'object',
  );
  if (secret !== undefined && readSecret === undefined) {
    throw new TypeError(`the authorization for ${secret.origin} is in a secret, and there is no readSecret to read it`);
  }

  return async (callback, { headers, body }) => {
    const check = checkCallback(callback, callbacks);
    if (check.kind === 'none') return { kind: 'dead-lettered', message: 'there is no URL to send the completion to' };
    if (check.kind === 'refused') return { kind: 'dead-lettered', message: check.reason };
    const { url, rule } = check;
    const signal = AbortSignal.timeout(timeoutMs);
    const authorized = (refused?: string) => beforeAbort(signal, authorizationOf(rule, readSecret, refused));
    let authorization: string | undefined;
    try {
      authorization = await authorized();
    } catch (error) {
      const message = `the authorization for ${url.origin} is not there: ${(error as Error).message}`;
      const alarm = `let the secret of the authorization for ${url.origin} hold the whole header, and be read by the function`;
      return { kind: 'retry', message, alarm };
    }
    const { status, result } = await send(check, { headers, body }, { authorization, signal });
    if (status !== 401 && status !== 403) return result;
    // The secret may have been rotated since it was read.
    const renewed = await authorized(authorization).catch(() => authorization);
    if (renewed === authorization) return result;
    return (await send(check, { headers, body }, { authorization: renewed, signal })).result;
  };

  async function send(
    { url, rule }: Extract<CallbackCheck, { kind: 'allowed' }>,
    { headers, body }: CompletionRequest,
    { authorization, signal }: { readonly authorization: string | undefined; readonly signal: AbortSignal },
  ): Promise<{ readonly status?: number; readonly result: PostResult }> {
    const sent = {
      ...headers,
      ...(authorization !== undefined && { authorization }),
      host: url.host,
      [HEADER.userAgent]: USER_AGENT,
    };
    let socket: Socket | undefined;
    try {
      socket = await connectChecked(url, { rule, ca: rule.ca, resolve, connect, signal });
      const answer = await exchange(socket, url, { headers: sent, body, signal });
      const result = resultOfAnswer(url.origin, answer, (said) => withoutSecrets(said, sent));
      return { status: answer.status, result };
    } catch (error) {
      const cause = signal.aborted ? new Error(`nothing came within ${timeoutMs} ms`) : error;
      return { result: resultOfError(url.origin, cause) };
    } finally {
      socket?.destroy();
    }
  }
}

async function exchange(
  socket: Socket,
  { pathname, search }: URL,
  { headers, body, signal }: CompletionRequest & { readonly signal: AbortSignal },
) {
  // The socket is connected and checked, and TLS where it has to be: all that is left is HTTP.
  const request = httpRequest({
    method: 'POST',
    path: pathname + search,
    headers,
    createConnection: () => socket,
    signal,
  });
  request.end(body);
  const [response] = (await beforeAbort(signal, once(request, 'response'))) as [IncomingMessage];
  const { statusCode: status = 0 } = response;
  const succeeded = status >= 200 && status < 300;
  return { status, headers: flat(response), body: succeeded ? new Uint8Array() : await start(response) };
}

/** The body, or nothing where it is longer than a failure, or does not end in time. The status has come in any case. */
async function start(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) return new Uint8Array();
      chunks.push(chunk);
    }
  } catch {
    return new Uint8Array();
  }
  return Buffer.concat(chunks);
}

function flat({ headers }: IncomingMessage): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** The rule's own over what the caller gave: that is for the callback of his choice, and this one is the owner's. */
async function authorizationOf(
  { authorization }: AllowedCallback,
  readSecret: KeptSecret | undefined,
  refused: string | undefined,
): Promise<string | undefined> {
  if (authorization === undefined) return undefined;
  const value =
    typeof authorization === 'string' ? authorization : await readSecret?.(authorization.secretArn, refused);
  if (!value || !isSendableHeader('authorization', value)) {
    throw new TypeError('the secret is empty, or holds what no header can, such as a line break at its end');
  }
  return value;
}

/** What an endpoint says may quote the tokens that it was sent, and is stored and shown. */
function withoutSecrets(said: string, sent: Headers): string {
  const secrets = Object.entries(sent)
    .filter(([name]) => !PLAIN_HEADER.test(name))
    .flatMap(([, value]) => value.match(/[\w+/=.-]{12,}/g) ?? []);
  return secrets.reduce((left, secret) => left.replaceAll(secret, '[redacted]'), said);
}

async function lookUp(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
