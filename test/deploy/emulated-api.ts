import { AwsClient } from 'aws4fetch';
import type { Ministack } from '../toolchain/ministack.ts';

/** How a request says who sends it. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | {
      readonly kind: 'iam';
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
    };

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: unknown;
}

export interface ApiRequest {
  readonly credentials?: Credentials;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly method?: string;
}

/** An HTTP API on the emulator. */
export interface EmulatedApi {
  /** What stands for `https://{api}.execute-api.{region}.amazonaws.com`. */
  readonly url: string;
  call(path: string, request?: ApiRequest): Promise<ApiAnswer>;
}

/** The emulator's root user. */
export function rootOf({ env }: Pick<Ministack, 'env'>): Credentials {
  return { kind: 'iam', accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
}

/** The API of this id, by the path that the emulator has for APIs without a name of their own in DNS. */
export function emulatedApi(emulator: Pick<Ministack, 'url' | 'env'>, apiId: string): EmulatedApi {
  const url = `${emulator.url}/_aws/execute-api/${apiId}`;
  return {
    url,
    async call(path, { credentials = NOBODY, headers = {}, body = '{"name":"Ada"}', method = 'POST' } = {}) {
      const init = {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(method !== 'GET' && { body }),
      };
      const response = await send(url + path, init, credentials, emulator.env.AWS_REGION);
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: parseJson(text) };
    },
  };
}

const NOBODY: Credentials = { kind: 'none' };

type Init = { method: string; headers: Record<string, string>; body?: string };

function send(url: string, init: Init, credentials: Credentials, region: string): Promise<Response> {
  switch (credentials.kind) {
    case 'none':
      return fetch(url, init);
    case 'basic': {
      const { user, password } = credentials;
      const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
      return fetch(url, { ...init, headers: { ...init.headers, authorization } });
    }
    case 'iam': {
      const { kind: _, ...keys } = credentials;
      return new AwsClient({ ...keys, service: 'execute-api', region, retries: 0 }).fetch(url, init);
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
