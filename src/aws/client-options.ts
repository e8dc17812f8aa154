/** For clients of DynamoDB and SQS: an answer takes milliseconds, and one that is lost is asked for again in time. */
export const CLIENT_OPTIONS = {
  maxAttempts: 4,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
};
