import type { RemovalPolicy } from 'aws-cdk-lib';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { NetworkProps } from './function-role.ts';
import type { NexusCaller } from './nexus-caller.ts';

/** Properties of a gateway. */
export interface NexusGatewayProps extends NetworkProps {
  /**
   * JSON, user → password: opens `{url}/basic/nexus/…` to HTTP Basic, which an unmodified Temporal server speaks when its
   * target URL has user information. One user for each endpoint, of the endpoint's name.
   *
   * @default - no such routes
   */
  readonly basicAuthSecret?: ISecret;
  /**
   * Opens `{url}/jwt/nexus/…` to bearer tokens of this issuer. Each endpoint names the subjects that may call it.
   *
   * @default - no such routes
   */
  readonly jwt?: { readonly issuer: string; readonly audience: readonly string[] };
  /**
   * Gives the router a Function URL (IAM only) besides the API: for requests whose headers are larger than the 10,240
   * bytes that an API takes.
   *
   * @default false
   */
  readonly functionUrl?: boolean;
  /**
   * Who may see and mend operations, of all callers: with `nexus-lambda operation --url {url}` and an AWS signature. Only
   * roles and users of IAM: Basic users and subjects of tokens never may. Each needs a policy as well: see `grantManage`.
   *
   * @default - nobody
   */
  readonly administrators?: readonly NexusCaller[];
  /** Of the access log and the functions' logs. @default one month */
  readonly logRetention?: RetentionDays;
  /** What becomes of the table of endpoints when the stack goes. @default - kept, but for that of a first deploy that fails */
  readonly removalPolicy?: RemovalPolicy;
  /** Alarms on errors, throttles, open circuits and dead letters. @default true */
  readonly alarms?: boolean;
  /** A CloudWatch dashboard. @default true */
  readonly dashboard?: boolean;
}

/** What names a gateway of another stack. */
export interface NexusGatewayAttributes {
  readonly url: string;
  readonly apiId: string;
  readonly tableName: string;
  readonly routerRoleArn: string;
  /** Whether endpoints get an alarm on their circuit, in their own stack. @default true */
  readonly alarms?: boolean;
}

/** @throws Error where one of them cannot sign with IAM. */
export function principalsOf(administrators: readonly NexusCaller[] = []): readonly string[] {
  const principals = administrators.map(({ principal }) => principal);
  const other = principals.find((principal) => !principal.startsWith('iam:'));
  if (other === undefined) return principals;
  throw new Error(
    `"${other}" cannot be an administrator of a gateway: operations are managed with AWS signatures; name NexusCaller.role() or NexusCaller.iam()`,
  );
}
