import { Duration } from 'aws-cdk-lib';
import type { IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  HttpIamAuthorizer,
  HttpJwtAuthorizer,
  HttpLambdaAuthorizer,
  HttpLambdaResponseType,
} from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { ENV } from '../src/aws/contract.ts';
import { grantDecryptOf } from './function-role.ts';
import type { NexusGatewayProps } from './gateway-props.ts';
import { createOwnFunction } from './own-function.ts';

/**
 * How long API Gateway keeps an answer of the authorizer: what a revoked password goes on working for, besides the
 * authorizer's own view of the secret, and a fifth of the default.
 */
const BASIC_CACHE = Duration.seconds(60);

/** Who lets requests in, by what their path begins with: a route has one authorizer, so each kind has routes of its own. */
export function createAuthorizers(
  gateway: Construct,
  props: NexusGatewayProps,
): ReadonlyMap<'' | '/basic' | '/jwt', IHttpRouteAuthorizer> {
  const authorizers = new Map<'' | '/basic' | '/jwt', IHttpRouteAuthorizer>([['', new HttpIamAuthorizer()]]);
  if (props.basicAuthSecret) authorizers.set('/basic', createBasicAuthorizer(gateway, props.basicAuthSecret, props));
  if (props.jwt) {
    const { issuer, audience } = props.jwt;
    authorizers.set('/jwt', new HttpJwtAuthorizer('Jwt', issuer, { jwtAudience: [...audience] }));
  }
  return authorizers;
}

function createBasicAuthorizer(
  gateway: Construct,
  secret: ISecret,
  { vpc, vpcSubnets, securityGroups, logRetention }: NexusGatewayProps,
): HttpLambdaAuthorizer {
  const authorizer = createOwnFunction(gateway, 'Authorizer', {
    ...{ name: 'authorizer', vpc, vpcSubnets, securityGroups, logRetention },
    description: 'Checks HTTP Basic credentials of Nexus callers',
    memorySize: 512,
    // API Gateway waits ten seconds for an authorizer.
    timeout: Duration.seconds(10),
    environment: { [ENV.basicSecret]: secret.secretArn },
  });
  authorizer.addToRolePolicy(
    new PolicyStatement({
      sid: 'ReadPasswords',
      actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
      resources: [secret.secretFullArn ?? `${secret.secretArn}-??????`],
    }),
  );
  grantDecryptOf(secret, authorizer);
  return new HttpLambdaAuthorizer('Basic', authorizer, {
    responseTypes: [HttpLambdaResponseType.SIMPLE],
    resultsCacheTtl: BASIC_CACHE,
  });
}
