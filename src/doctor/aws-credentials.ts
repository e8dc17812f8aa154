import { isMissingPackage } from './missing-package.ts';

/** What a request is signed with. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const PACKAGE = '@aws-sdk/credential-providers';

/**
 * The credentials that the AWS CLI and SDKs would take: environment, profile, single sign-on, container or instance.
 *
 * @throws Error whose message says which package to install, or what the last of these places said.
 */
export async function loadAwsCredentials(): Promise<AwsCredentials> {
  const { fromNodeProviderChain } = await importProviders();
  const { accessKeyId, secretAccessKey, sessionToken } = await fromNodeProviderChain()();
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

async function importProviders() {
  try {
    return await import('@aws-sdk/credential-providers');
  } catch (cause) {
    if (!isMissingPackage(cause)) throw cause;
    throw new Error(`the package ${PACKAGE} is not installed; run: npm i ${PACKAGE}`, { cause });
  }
}
