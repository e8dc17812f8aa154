import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
} from '@aws-sdk/client-secrets-manager';

/** The texts of a secret's versions, by stage. A stage that no version with a value has is `undefined`. */
export interface SecretVersions {
  readonly current: string | undefined;
  readonly previous: string | undefined;
  readonly pending: string | undefined;
}

/** Reads a secret. */
export interface SecretReader {
  /** All stages as they were at one moment between the call and its end. Rejects where one of them cannot be read. */
  read(): Promise<SecretVersions>;
}

/** How long one read may take in all: an HTTP API gives an authorizer 10 s, and a request may wait for two reads. */
const READ_MS = 4_000;

interface Version {
  readonly id: string;
  readonly labels: readonly string[];
  readonly text: string | undefined;
}

const STAGES = ['AWSCURRENT', 'AWSPREVIOUS', 'AWSPENDING'];

const CLIENT_CONFIG: SecretsManagerClientConfig = {
  maxAttempts: 2,
  // Without the last one the SDK only warns when the time is over.
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true },
};

/**
 * Reads a secret from AWS Secrets Manager, with `secretsmanager:DescribeSecret` and `secretsmanager:GetSecretValue`.
 *
 * Which version has which stage is one answer, and the versions are read by their ids: read stage by stage, a version
 * that moves from one stage to another meanwhile could be missed in both, and its credentials be denied.
 *
 * @param config is laid over a connection timeout of 1 s, a request timeout of 2 s and two attempts
 */
export function createSecretReader(secretArn: string, config: SecretsManagerClientConfig = {}): SecretReader {
  let client: SecretsManagerClient | undefined;
  /** As read last. The value of a version never changes, so it is read once. */
  let versions: readonly Version[] = [];

  async function readStages(aws: SecretsManagerClient, abortSignal: AbortSignal): Promise<SecretVersions> {
    const described = await aws.send(new DescribeSecretCommand({ SecretId: secretArn }), { abortSignal });
    if (described.DeletedDate !== undefined) throw new Error('it is marked for deletion');
    const read = await Promise.all(
      Object.entries(described.VersionIdsToStages ?? {})
        .map(([id, labels]) => ({ id, labels: labels.filter((label) => STAGES.includes(label)) }))
        .filter(({ labels }) => labels.length > 0)
        .map(async ({ id, labels }) => {
          const text = versions.find((version) => version.id === id)?.text;
          return { id, labels, text: text ?? (await readText(aws, { id, labels, abortSignal })) };
        }),
    );
    versions = read;
    const textOf = (stage: string) => read.find(({ labels }) => labels.includes(stage))?.text;
    return { current: textOf('AWSCURRENT'), previous: textOf('AWSPREVIOUS'), pending: textOf('AWSPENDING') };
  }

  async function readText(
    aws: SecretsManagerClient,
    { id, labels, abortSignal }: Pick<Version, 'id' | 'labels'> & { readonly abortSignal: AbortSignal },
  ): Promise<string | undefined> {
    try {
      const command = new GetSecretValueCommand({ SecretId: secretArn, VersionId: id });
      const { SecretString, SecretBinary } = await aws.send(command, { abortSignal });
      return SecretString ?? new TextDecoder().decode(SecretBinary);
    } catch (error) {
      // A rotation under way labels its pending version before it gives it a value.
      const onlyPending = labels.every((label) => label === 'AWSPENDING');
      if (onlyPending && nameOf(error) === 'ResourceNotFoundException') return undefined;
      throw error;
    }
  }

  return {
    async read() {
      client ??= new SecretsManagerClient({ ...CLIENT_CONFIG, ...config });
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), READ_MS);
      try {
        return await readStages(client, abort.signal);
      } catch (error) {
        const reason = abort.signal.aborted ? `no answer within ${READ_MS} ms` : reasonOf(error);
        throw new Error(`cannot read the secret ${secretArn}: ${reason}`, { cause: error });
      } finally {
        clearTimeout(timer);
        // What one failure left running would be frozen in the middle of its connection.
        abort.abort();
      }
    },
  };
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (nameOf(error) !== 'AccessDeniedException') return message;
  return `${message}; the function needs secretsmanager:DescribeSecret and secretsmanager:GetSecretValue on it`;
}
