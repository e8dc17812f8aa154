import { readFileSync } from 'node:fs';
import type { NexusHttpRequest } from '../../src/nexus/message.ts';

interface CapturedExchange {
  readonly server: string;
  readonly scenario: string;
  readonly request?: {
    readonly method: string;
    readonly target: string;
    readonly headers: readonly (readonly [string, string])[];
    readonly bodyBase64: string;
  };
  readonly completionWeSent?: { readonly headers: Record<string, string>; readonly body: string };
}

/** A recorded request below its endpoint's base URL. */
export interface Capture extends NexusHttpRequest {
  readonly server: string;
  readonly scenario: string;
}

const BASE = '/nexus/endpoints/cap/services';

const exchanges = ['1.29.1', '1.32.1'].flatMap((version): CapturedExchange[] =>
  JSON.parse(readFileSync(new URL(`../fixtures/captures/temporal-${version}.json`, import.meta.url), 'utf8')),
);

const received = exchanges.flatMap(({ server, scenario, request }): Capture[] => {
  if (request === undefined) return [];
  const [path = '', query = ''] = request.target.split('?');
  const headers = Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const body = new Uint8Array(Buffer.from(request.bodyBase64, 'base64'));
  return [{ server, scenario, method: request.method, path: path.replace(BASE, ''), query, headers, body }];
});

/** Starts and cancels that Temporal servers sent. */
export const capturedRequests = received.filter(({ path }) => path !== '/sink');

/** Completions that Temporal servers sent, and those that they accepted. */
export const capturedCompletions = [
  ...received.filter(({ path }) => path === '/sink'),
  ...exchanges.flatMap(({ server, scenario, completionWeSent }) =>
    completionWeSent === undefined
      ? []
      : [
          {
            server,
            scenario,
            headers: completionWeSent.headers,
            body: new TextEncoder().encode(completionWeSent.body),
          },
        ],
  ),
];
