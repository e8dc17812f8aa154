import { AwsClient } from 'aws4fetch';

/** The deployed sample app, and who calls it. */
export interface SampleApi {
  readonly url: string;
  readonly region: string;
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  readonly password: string;
}

/** One call, and what is to come of it. */
export interface Check {
  readonly title: string;
  readonly passed: boolean;
  readonly saw: string;
  readonly milliseconds: number;
}

const HELLO = '/nexus/endpoints/greeting/services/greeting/hello';
const BODY = '{"name":"Ada"}';
const GREETING = '{"message":"Hello, Ada!"}';
/** After these an environment is warm. */
const WARM_CALLS = 20;

/** Calls the sample in each way that is let in, and in some that are not. */
export async function* callSample({ url, region, keys, password }: SampleApi): AsyncGenerator<Check> {
  const aws = new AwsClient({ ...keys, service: 'execute-api', region, retries: 0 });
  const headers = { 'content-type': 'application/json' };
  const signed = (path: string, extra: Record<string, string> = {}) =>
    aws.fetch(url + path, { method: 'POST', headers: { ...headers, ...extra }, body: BODY });
  const basic = (secret: string) => {
    const authorization = `Basic ${Buffer.from(`greeting:${secret}`).toString('base64')}`;
    return fetch(`${url}/basic${HELLO}`, { method: 'POST', headers: { ...headers, authorization }, body: BODY });
  };
  yield await check('a signed call, on a cold router and a cold handler', () => signed(HELLO), 200, GREETING);
  yield await check('a call with the password', () => basic(password), 200, GREETING);
  yield await check('a wrong password', () => basic('wrong'), 403);
  yield await check('no signature', () => fetch(url + HELLO, { method: 'POST', headers, body: BODY }), 403);
  const unknown = HELLO.replace('endpoints/greeting', 'endpoints/unknown');
  yield await check('an endpoint that is not there', () => signed(unknown), 404, 'no endpoint is named');
  const large = { 'x-large': 'a'.repeat(8 * 1024) };
  yield await check('8 KiB of headers', () => signed(HELLO, large), 200, GREETING);
  for (let call = 1; call <= WARM_CALLS; call++) {
    yield await check(`warm call ${call} of ${WARM_CALLS}`, () => signed(HELLO), 200, GREETING);
  }
}

async function check(title: string, call: () => Promise<Response>, status: number, text = ''): Promise<Check> {
  const began = performance.now();
  const response = await call();
  const body = await response.text();
  const milliseconds = performance.now() - began;
  return {
    title,
    passed: response.status === status && body.includes(text),
    saw: `${response.status} ${body.slice(0, 200)}`,
    milliseconds,
  };
}
