import type { Auth } from './auth.ts';
import { loadAwsCredentials } from './aws-credentials.ts';

/**
 * A request that says who sends it. The one that is given may be changed.
 *
 * @throws Error whose message says what is missing to sign it with.
 */
export async function authorizedRequest(request: Request, auth: Auth): Promise<Request> {
  switch (auth.kind) {
    case 'none':
      return request;
    case 'basic':
      request.headers.set('authorization', `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}`);
      return request;
    case 'bearer':
      request.headers.set('authorization', `Bearer ${auth.token}`);
      return request;
    case 'sigv4': {
      const { AwsClient } = await import('aws4fetch');
      const { service, region } = auth;
      const client = new AwsClient({ ...(await loadAwsCredentials()), service, region, retries: 0 });
      return client.sign(request);
    }
  }
}
