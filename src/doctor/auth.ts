import { DoctorUsageError } from './doctor-usage-error.ts';
import type { BasicCredentials, Target } from './target.ts';

/** How the doctor says who it is. */
export type Auth =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'basic' } & BasicCredentials)
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'sigv4'; readonly service: 'execute-api' | 'lambda'; readonly region: string };

export interface AuthOptions {
  /** `--bearer`. */
  readonly bearer?: string;
  /** `--sign`: SigV4 for a host that does not look like one of AWS. */
  readonly sign: boolean;
  /** `NEXUS_BEARER_TOKEN`, `AWS_REGION` and `AWS_DEFAULT_REGION` are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `{id}.execute-api.{region}.amazonaws.com` of an API, `{id}.lambda-url.{region}.on.aws` of a Function URL. */
const AWS_HOST = /\.(execute-api|lambda-url)\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/;

/** The routes that take something else than a signature. */
const OTHER_ROUTE = /\/(?:basic|jwt)$/;

/**
 * Chooses by what was given: user information is HTTP Basic, a token is sent as one, and a host of AWS, or `--sign`,
 * means SigV4.
 *
 * @throws DoctorUsageError where two are given, or the region of a signature is not known.
 */
export function chooseAuth(target: Target, { bearer, sign, env }: AuthOptions): Auth {
  const { credentials } = target;
  const given = [credentials && 'user information in --url', bearer && '--bearer', sign && '--sign'].filter(Boolean);
  if (given.length > 1) throw new DoctorUsageError(`${given.join(' and ')} were given; give one of them`);
  if (credentials) return { kind: 'basic', ...credentials };
  if (bearer !== undefined) return { kind: 'bearer', token: bearer };
  const host = AWS_HOST.exec(new URL(target.baseUrl).hostname);
  const token = env.NEXUS_BEARER_TOKEN;
  if (!sign && token && (target.prefix.endsWith('/jwt') || host === null)) return { kind: 'bearer', token };
  if (!sign && (host === null || OTHER_ROUTE.test(target.prefix))) return { kind: 'none' };
  const region = host?.[2] ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  if (!region) {
    throw new DoctorUsageError(
      '--sign needs a region, and the host names none; set AWS_REGION, as in AWS_REGION=eu-west-1',
    );
  }
  return { kind: 'sigv4', service: host?.[1] === 'lambda-url' ? 'lambda' : 'execute-api', region };
}

/** How it says who it is, for a sentence. */
export function describeAuth(auth: Auth): string {
  switch (auth.kind) {
    case 'none':
      return 'no credentials';
    case 'basic':
      return `HTTP Basic as user "${auth.user}"`;
    case 'bearer':
      return 'a bearer token';
    case 'sigv4':
      return `an AWS signature (${auth.service}, ${auth.region})`;
  }
}

/** Whether a host belongs to AWS, where Temporal needs the `/basic` route: it cannot sign. */
export function isAwsHost(hostname: string): boolean {
  return AWS_HOST.test(hostname);
}
