/** For clients of DynamoDB and SQS: an answer takes milliseconds, and one that is lost is asked for again in time. */
export const CLIENT_OPTIONS = {
  maxAttempts: 4,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
};

/** For the router's, whose caller waits: Temporal gives a call ten seconds. What they leave undone is done by others. */
export const ROUTER_CLIENT_OPTIONS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
};

/** Of SQS, where the host of a queue's URL would overrule the endpoint that the function was given, such as a VPC's. */
export const SQS_CLIENT_OPTIONS = { ...CLIENT_OPTIONS, useQueueUrlAsEndpoint: false };
export const ROUTER_SQS_CLIENT_OPTIONS = { ...ROUTER_CLIENT_OPTIONS, useQueueUrlAsEndpoint: false };
