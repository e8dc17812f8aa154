import { Token } from 'aws-cdk-lib';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { CALLER_RULE, isCaller } from '../src/handler/access.ts';

/** Who may call an endpoint, once a route's authorizer has told who it is. */
export class NexusCaller {
  /** The user of a password in the gateway's `basicAuthSecret`. */
  static basic(user: string): NexusCaller {
    return new NexusCaller(`basic:${user}`);
  }

  /** Whoever signs requests with this role. An IAM policy must let it invoke the API as well: see `grantInvoke`. */
  static role(role: IRole): NexusCaller {
    return new NexusCaller(`iam:${role.roleArn}`);
  }

  /** Whoever signs requests with this role or user, by its ARN. */
  static iam(arn: string): NexusCaller {
    return new NexusCaller(`iam:${arn}`);
  }

  /** Whomever IAM lets invoke the endpoint's path of the API. */
  static anyIam(): NexusCaller {
    return new NexusCaller('iam:*');
  }

  /** The subject (`sub`) of tokens that the gateway's `jwt` accepts. */
  static jwt(subject: string): NexusCaller {
    return new NexusCaller(`jwt:${subject}`);
  }

  /** As the registry keeps it, and the router compares it. */
  readonly principal: string;

  private constructor(principal: string) {
    if (!Token.isUnresolved(principal) && !isCaller(principal)) {
      throw new Error(`"${principal}" is no caller of an endpoint; it takes ${CALLER_RULE}`);
    }
    this.principal = principal;
  }
}
