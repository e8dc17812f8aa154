import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { type HttpApi, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { createLogGroup } from './function-role.ts';

/** The log of who called what, and how it ended. No header, query or body: those may hold secrets. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  path: '$context.path',
  routeKey: '$context.routeKey',
  status: '$context.status',
  basicUser: '$context.authorizer.principal',
  iamUser: '$context.identity.userArn',
  jwtSubject: '$context.authorizer.claims.sub',
  authorizerError: '$context.authorizer.error',
  integrationError: '$context.integrationErrorMessage',
  integrationLatency: '$context.integrationLatency',
  responseLength: '$context.responseLength',
};

/**
 * The stage of an API whose requests are logged. Without throttling of its own: a stage would answer 429 before our code
 * could queue a request.
 */
export function createLoggedStage(scope: Construct, httpApi: HttpApi, retention: RetentionDays): HttpStage {
  const destination = new LogGroupLogDestination(createLogGroup(scope, 'AccessLog', retention));
  return new HttpStage(scope, 'Stage', {
    httpApi,
    autoDeploy: true,
    accessLogSettings: { destination, format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)) },
  });
}
