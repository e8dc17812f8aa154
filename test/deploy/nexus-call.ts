import { AwsClient } from 'aws4fetch';
import { HandlerError } from 'nexus-rpc';
import { expect } from 'vitest';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { parseStartResponse } from '../../src/nexus/parse-response.ts';
import type { Ministack } from '../toolchain/ministack.ts';
import { emulatedApi } from './emulated-api.ts';

export interface CallOptions {
  /** What the caller gives, in seconds. Default: the 10 that Temporal gives. */
  readonly timeoutS?: number | undefined;
  /** The longest that the answer may take. Default: what the caller gives. */
  readonly withinS?: number | undefined;
  /** Whether the caller is Temporal 1.31 or later, which reads failures in another form. Default false. */
  readonly failureSupport?: boolean;
  /** Default: JSON with a name. */
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
}

export interface Answer extends NexusHttpResponse {
  /** The body as text. */
  readonly text: string;
  /** What it is to a Nexus caller, where it is no result. */
  readonly error?: HandlerError;
}

/** Starts the operation at this path of an endpoint, and fails where the answer takes too long. */
export type NexusCall = (endpoint: string, operation: string, options?: CallOptions) => Promise<Answer>;

/** Calls through the API of this id as the emulator's root user. */
export function nexusCallOf(emulator: Pick<Ministack, 'url' | 'env'>, apiId: string): NexusCall {
  const { url } = emulatedApi(emulator, apiId);
  const client = awsClient(emulator, 'execute-api');
  return async (endpoint, operation, options = {}) => {
    const { timeoutS = 10, withinS = timeoutS, failureSupport, body = '{"name":"Ada"}', contentType } = options;
    const startedAt = performance.now();
    const response = await client.fetch(`${url}/nexus/endpoints/${endpoint}/services/${operation}`, {
      method: 'POST',
      headers: {
        'content-type': contentType ?? 'application/json',
        'request-timeout': `${timeoutS * 1_000}ms`,
        ...(failureSupport && { 'temporal-nexus-failure-support': 'true' }),
      },
      body,
    });
    const answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: new Uint8Array(await response.arrayBuffer()),
    };
    expect(performance.now() - startedAt).toBeLessThan(withinS * 1_000);
    const error = errorOf(answer);
    return { ...answer, text: new TextDecoder().decode(answer.body), ...(error && { error }) };
  };
}

/** A client of one of the emulator's services, as whoever may do everything. */
export function awsClient({ env }: Pick<Ministack, 'env'>, service: string): AwsClient {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = env;
  return new AwsClient({ accessKeyId, secretAccessKey, region, service, retries: 0 });
}

function errorOf(response: NexusHttpResponse): HandlerError | undefined {
  try {
    parseStartResponse(response);
    return undefined;
  } catch (error) {
    if (error instanceof HandlerError) return error;
    throw error;
  }
}
