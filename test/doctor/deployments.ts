import { chooseAuth } from '../../src/doctor/auth.ts';
import type { Deployment } from '../../src/doctor/deployment.ts';
import { parseTarget } from '../../src/doctor/target.ts';

const PATH = '/nexus/endpoints/shop/services';
const HOST = 'abc.execute-api.eu-west-1.amazonaws.com';

function deployment(url: string, bearer?: string): Deployment {
  const target = parseTarget(url, undefined);
  return { target, auth: chooseAuth(target, { sign: false, env: {}, ...(bearer !== undefined && { bearer }) }) };
}

/** An API Gateway API that is called with an AWS signature. */
export const signed = deployment(`https://${HOST}${PATH}`);

/** The same with HTTP Basic. */
export const basic = deployment(`https://shop:s3cret@${HOST}/basic${PATH}`);

/** The same, without credentials. */
export const basicWithout = deployment(`https://${HOST}/basic${PATH}`);

/** The same with a token. */
export const jwt = deployment(`https://${HOST}/jwt${PATH}`, 's3cret');

/** `nexus-lambda dev`. */
export const dev = deployment(`http://127.0.0.1:9233${PATH}`);
