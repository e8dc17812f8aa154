/** Variables with which AWS SDKs and the CDK CLI talk to an emulator. */
export interface AwsVariables {
  readonly AWS_ENDPOINT_URL: string;
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
  readonly AWS_REGION: string;
  readonly AWS_DEFAULT_REGION: string;
}

/** The account and the region of all emulators. */
export const EMULATED = { account: '000000000000', region: 'us-east-1' };

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
}

export function awsVariables(url: string, { id, secret }: AccessKey): AwsVariables {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_REGION: EMULATED.region,
    AWS_DEFAULT_REGION: EMULATED.region,
  };
}
