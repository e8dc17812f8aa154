import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AwsVariables, awsVariables } from './aws-variables.ts';
import { ensureJars } from './java-jars.ts';
import { type LocalServer, startLocalServer } from './local-server.ts';
import type { BinaryOptions } from './temporal-binaries.ts';

const MAIN = fileURLToPath(new URL('java/LoopbackDynamoDbLocal.java', import.meta.url));

/** AWS's own DynamoDB on 127.0.0.1, with everything in memory. */
export interface DynamoDbLocal extends LocalServer {
  /** Variables with which AWS SDKs talk to it. */
  readonly env: AwsVariables;
}

/**
 * Starts DynamoDB Local, fetched with Maven where it is missing, and resolves when it answers. It ends with this process
 * at the latest.
 *
 * Fails where there is no JDK 17 or newer, and with the end of its log where it does not come up.
 */
export async function startDynamoDbLocal(options: BinaryOptions = {}): Promise<DynamoDbLocal> {
  const jars = await ensureJars({ title: 'DynamoDB Local 2.6.1', pom: 'dynamodb-local' }, options);
  const server = await startLocalServer({
    title: 'DynamoDB Local',
    launch: async ({ port }) => ({
      command: 'java',
      args: [
        ...['-Xmx256m', `-Djava.library.path=${jars}`, '-cp', join(jars, '*'), MAIN],
        ...['-inMemory', '-disableTelemetry', '-port', String(port)],
      ],
      env: { ...(options.env ?? process.env), DDB_LOCAL_TELEMETRY: '0' },
    }),
    readyPath: '/',
    // A request without an operation is a bad one.
    isReady: (response) => response.status === 400,
  });
  return { ...server, env: awsVariables(server.url, { id: 'local', secret: 'local' }) };
}
