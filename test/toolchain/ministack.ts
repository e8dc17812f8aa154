import { randomBytes } from 'node:crypto';
import { mkdir, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AccessKey, type AwsVariables, awsVariables } from './aws-variables.ts';
import { type LocalServer, type LocalServerLaunch, startLocalServer } from './local-server.ts';
import { ensurePythonTools } from './python-environment.ts';
import type { BinaryOptions } from './temporal-binaries.ts';

export interface StartMinistackOptions extends BinaryOptions {
  /**
   * Check signatures and IAM policies, those of execution roles included. The caller with the variables of `env` may do
   * everything. Default false: whoever asks may do everything.
   */
  readonly auth?: boolean;
}

/** An AWS emulator on 127.0.0.1: account 000000000000, region us-east-1. */
export interface Ministack extends LocalServer {
  /** Variables with which AWS SDKs and the CDK CLI talk to it as the root user of the account. */
  readonly env: AwsVariables;
}

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const PROCESS_GROUP = fileURLToPath(new URL('process-group.ts', import.meta.url));
/** What the Node.js runtime of Lambda has besides Node.js. */
const RUNTIME_SCOPES = ['@aws-sdk', '@smithy'];

/**
 * Starts MiniStack and resolves when it answers. It ends with this process at the latest. Lambda functions run in the
 * Node.js 24 of node_modules and find `@aws-sdk/*` as on AWS, and no other package that they were deployed without.
 *
 * Fails with the end of its log where it does not come up.
 */
export async function startMinistack({ auth = false, ...options }: StartMinistackOptions = {}): Promise<Ministack> {
  const { ministack } = await ensurePythonTools(options);
  // The CDK CLI remembers the account of an access key, and so must not see the same one twice.
  const key = { id: `LOCAL${randomBytes(8).toString('hex').toUpperCase()}`, secret: randomBytes(16).toString('hex') };
  const server = await startLocalServer({
    title: 'MiniStack',
    launch: async ({ port, folder }) => {
      await linkRuntimePackages(folder);
      return launch(ministack, { port, folder, auth, key, path: (options.env ?? process.env).PATH ?? '' });
    },
    readyPath: '/_ministack/health',
    isReady: (response) => response.ok,
    killAfterMs: 5_000,
  });
  return { ...server, env: awsVariables(server.url, key) };
}

/** Functions are unpacked below `folder`: what is in its node_modules is found by `import`, too. */
async function linkRuntimePackages(folder: string): Promise<void> {
  await mkdir(join(folder, 'tmp'));
  await mkdir(join(folder, 'node_modules'));
  await Promise.all(
    RUNTIME_SCOPES.map((scope) => symlink(join(NODE_MODULES, scope), join(folder, 'node_modules', scope))),
  );
}

interface LaunchOptions {
  readonly port: number;
  readonly folder: string;
  readonly auth: boolean;
  readonly key: AccessKey;
  readonly path: string;
}

function launch(ministack: string, { port, folder, auth, key, path }: LaunchOptions): LocalServerLaunch {
  return {
    command: process.execPath,
    args: [PROCESS_GROUP, ministack],
    // Functions inherit all of it: nothing of the environment of the tests must be there.
    env: {
      PATH: [join(NODE_MODULES, '.bin'), path].join(delimiter),
      HOME: folder,
      TMPDIR: join(folder, 'tmp'),
      STATE_DIR: join(folder, 'state'),
      S3_DATA_DIR: join(folder, 's3'),
      NODE_PATH: join(folder, 'node_modules'),
      // Its own code in the function's process: a warning of it in the function's log would be the only line there.
      NODE_OPTIONS: '--disable-warning=DEP0169',
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      // Custom resources answer to a URL with this name.
      MINISTACK_HOST: '127.0.0.1',
      AUTH: String(auth),
      AWS_ACCESS_KEY_ID: key.id,
      AWS_SECRET_ACCESS_KEY: key.secret,
      // It would listen on the same port in each instance.
      IOT_MTLS_ENABLED: '0',
    },
  };
}
