import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AwsVariables, awsVariables, EMULATED } from './aws-variables.ts';
import { ensureJars } from './java-jars.ts';
import { type LocalServer, startLocalServer } from './local-server.ts';
import type { BinaryOptions } from './temporal-binaries.ts';

/** SQS on 127.0.0.1, with everything in memory and the limits of AWS. */
export interface ElasticMq extends LocalServer {
  /** Variables with which AWS SDKs talk to it. */
  readonly env: AwsVariables;
}

/**
 * Starts ElasticMQ, fetched with Maven where it is missing, and resolves when it answers. It ends with this process at
 * the latest.
 *
 * Fails where there is no Java 17 or newer, and with the end of its log where it does not come up.
 */
export async function startElasticMq(options: BinaryOptions = {}): Promise<ElasticMq> {
  const jars = await ensureJars({ title: 'ElasticMQ 1.7.1', pom: 'elasticmq' }, options);
  const server = await startLocalServer({
    title: 'ElasticMQ',
    launch: async ({ port, folder }) => {
      const configFile = join(folder, 'elasticmq.conf');
      await writeFile(configFile, config(port));
      return {
        command: 'java',
        args: ['-Xmx256m', `-Dconfig.file=${configFile}`, '-cp', join(jars, '*'), 'org.elasticmq.server.Main'],
        env: options.env ?? process.env,
      };
    },
    readyPath: '/health',
    isReady: (response) => response.ok,
  });
  return { ...server, env: awsVariables(server.url, { id: 'local', secret: 'local' }) };
}

function config(port: number): string {
  return `
    include classpath("application.conf")
    node-address { host = "127.0.0.1", port = ${port} }
    rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${port}, sqs-limits = strict }
    rest-stats { enabled = false }
    aws { region = "${EMULATED.region}", accountId = "${EMULATED.account}" }
  `;
}
