import { ENV } from './contract.ts';

/** What is in the secret, as the Temporal SDK takes it. */
export interface SecretCredentials {
  readonly apiKey?: string;
  readonly tls: {
    readonly serverNameOverride?: string;
    readonly serverRootCACertificate?: Uint8Array;
    readonly clientCertPair?: { readonly crt: Uint8Array; readonly key: Uint8Array };
  };
}

/** Reads the current value of a secret by its ARN. */
export type ReadSecret = (arn: string) => Promise<string>;

/**
 * For `temporal({ credentials: temporalSecret() })`: reads what Temporal lets the handler in by from AWS Secrets Manager,
 * so that no environment variable holds it in clear. `NEXUS_TEMPORAL_SECRET_ARN` names the secret; the `temporal` property
 * of the NexusFunction construct sets it and grants the read. Without the variable there are no credentials, as for
 * a server of one's own that asks for none, or for `nexus-lambda dev`.
 *
 * The secret is JSON: `{"apiKey": "…"}`, or `{"clientCertificate": "PEM", "clientKey": "PEM"}`, and with either
 * `serverCaCertificate` (PEM) and `serverName` where the server's own certificate asks for them.
 *
 * @throws Error, by its result, that names the secret and the member where it cannot be read so.
 */
export function temporalSecret(
  env: Readonly<Record<string, string | undefined>> = process.env,
  readSecret: ReadSecret = readSecretText,
): () => Promise<SecretCredentials | undefined> {
  const arn = env[ENV.temporalSecret];
  return async () => (arn ? parseTemporalSecret(await readSecret(arn), arn) : undefined);
}

const MEMBERS = ['apiKey', 'clientCertificate', 'clientKey', 'serverCaCertificate', 'serverName'] as const;
type Member = (typeof MEMBERS)[number];

/** Reads the secret's JSON. Its errors name members and never hold a value. */
export function parseTemporalSecret(text: string, arn: string): SecretCredentials {
  const given = parseMembers(text, arn);
  const { apiKey, clientCertificate, clientKey, serverCaCertificate, serverName } = given;
  // gRPC refuses such a header with an error that quotes it.
  if (apiKey !== undefined && !/^[!-~]+$/.test(apiKey)) {
    throw problem(arn, 'has a member "apiKey" with a character that is in no API key, such as a line break');
  }
  if ((clientCertificate === undefined) !== (clientKey === undefined)) {
    throw problem(arn, 'has one of clientCertificate and clientKey; it takes both or none');
  }
  if (apiKey === undefined && clientCertificate === undefined) {
    throw problem(arn, 'has neither apiKey nor clientCertificate and clientKey');
  }
  const bytes = (pem: string) => new TextEncoder().encode(pem);
  const tls = {
    ...(serverName !== undefined && { serverNameOverride: serverName }),
    ...(serverCaCertificate !== undefined && { serverRootCACertificate: bytes(serverCaCertificate) }),
    ...(clientCertificate !== undefined &&
      clientKey !== undefined && { clientCertPair: { crt: bytes(clientCertificate), key: bytes(clientKey) } }),
  };
  // Even an empty one turns TLS on: none of these may go over a connection in clear.
  return { ...(apiKey !== undefined && { apiKey }), tls };
}

function parseMembers(text: string, arn: string): Partial<Record<Member, string>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw problem(arn, 'is no JSON'); // whose message would quote the secret
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw problem(arn, 'is no JSON object');
  for (const [name, value] of Object.entries(parsed)) {
    if (!MEMBERS.some((member) => member === name)) throw problem(arn, `has a member "${name}" that is not known`);
    if (typeof value !== 'string' || value === '')
      throw problem(arn, `has a member "${name}" that is no text, or empty`);
  }
  return parsed;
}

function problem(arn: string, what: string): Error {
  return new Error(`the secret ${arn} ${what}; it is a JSON object of ${MEMBERS.join(', ')}`);
}

/** The client is loaded by who has a secret only. It is not kept: one read in the life of an environment. */
export async function readSecretText(arn: string): Promise<string> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true },
  });
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
    if (SecretString === undefined) throw new Error(`the secret ${arn} is binary; it takes JSON text`);
    return SecretString;
  } finally {
    client.destroy();
  }
}
