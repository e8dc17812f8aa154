import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AwsClient } from 'aws4fetch';
import { type AwsVariables, EMULATED } from './aws-variables.ts';
import { type CommandResult, runCommand } from './run-command.ts';

export interface CdkOptions {
  readonly emulator: { readonly env: AwsVariables };
  /** What `--app` takes: the command of an app, or the folder of a cloud assembly. */
  readonly app: string;
  /** Default: all of the app. */
  readonly stacks?: readonly string[];
  readonly context?: Readonly<Record<string, string>>;
  /** Variables for the app, besides those of this process that name neither AWS nor the CDK. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the app runs, and where its cdk.json is looked for. Default: where this process runs. */
  readonly cwd?: string;
  /** Where the cloud assembly of an app goes. Default: a folder that is removed afterwards. */
  readonly outputDir?: string;
  /** Gets each line that the CDK CLI says. */
  readonly onProgress?: (line: string) => void;
}

export interface CdkDeployOptions extends CdkOptions {
  /** Where the CLI writes the outputs. Default: a file that is removed afterwards. */
  readonly outputsFile?: string;
}

/** Name of a stack to names of its outputs to their values. */
export type StackOutputs = Readonly<Record<string, Readonly<Record<string, string>>>>;

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const CDK = join(NODE_MODULES, 'aws-cdk', 'bin', 'cdk');
const ASSET_BUCKET = `cdk-hnb659fds-assets-${EMULATED.account}-${EMULATED.region}`;

/** Makes the emulator ready for apps with assets, whatever synthesizer their stacks have. */
export async function cdkBootstrap(emulator: CdkOptions['emulator']): Promise<void> {
  await withScratchFolder((scratch) =>
    // Not where the tests run: the app of a cdk.json there has no say in this.
    runCdk(['bootstrap', `aws://${EMULATED.account}/${EMULATED.region}`], { emulator, cwd: scratch }, scratch),
  );
  await allowPlainHttp(emulator.env);
}

/**
 * Deploys stacks and returns their outputs. Fails with what the CLI said from the first failed stack on, or with its
 * last lines.
 */
export async function cdkDeploy({ outputsFile, ...options }: CdkDeployOptions): Promise<StackOutputs> {
  return withScratchFolder(async (scratch) => {
    const file = outputsFile ?? join(scratch, 'outputs.json');
    const args = ['deploy', '--require-approval', 'never', '--progress', 'events', '--outputs-file', file];
    await runCdk([...args, ...appArguments(options, scratch)], options, scratch);
    return JSON.parse(await readFile(file, 'utf8')) as StackOutputs;
  });
}

/** Deletes stacks. Fails as `cdkDeploy` does. */
export async function cdkDestroy(options: CdkOptions): Promise<void> {
  await withScratchFolder((scratch) =>
    runCdk(['destroy', '--force', ...appArguments(options, scratch)], options, scratch),
  );
}

function appArguments({ app, stacks, context = {}, outputDir }: CdkOptions, scratch: string): string[] {
  return [
    ...['--app', app, '--output', outputDir ?? join(scratch, 'cdk.out')],
    ...Object.entries(context).flatMap(([key, value]) => ['--context', `${key}=${value}`]),
    ...(stacks ?? ['--all']),
  ];
}

type RunCdkOptions = Pick<CdkOptions, 'emulator' | 'env' | 'cwd' | 'onProgress'>;

async function runCdk(
  args: readonly string[],
  { emulator, env = {}, cwd, onProgress }: RunCdkOptions,
  scratch: string,
): Promise<void> {
  const quiet = ['--ci', '--no-color', '--no-notices', '--no-version-reporting'];
  const result = await runCommand(process.execPath, [CDK, ...args, ...quiet], {
    env: cdkEnvironment(emulator.env, { scratch, env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(onProgress === undefined ? {} : { onLine: onProgress }),
  });
  if (result.code !== 0) throw new Error(cdkFailure(`cdk ${args[0]}`, result));
}

function cdkEnvironment(
  aws: AwsVariables,
  { scratch, env }: { readonly scratch: string; readonly env: Readonly<Record<string, string>> },
): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(AWS|CDK)_/.test(name));
  const nowhere = join(scratch, 'no-such-file');
  return {
    ...Object.fromEntries(own),
    // For apps that are started as `node app.ts`.
    PATH: [join(NODE_MODULES, '.bin'), process.env.PATH ?? ''].join(delimiter),
    ...env,
    ...aws,
    AWS_CONFIG_FILE: nowhere,
    AWS_SHARED_CREDENTIALS_FILE: nowhere,
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_HOME: join(scratch, 'home'),
    CDK_DISABLE_CLI_TELEMETRY: '1',
    CDK_DISABLE_VERSION_CHECK: '1',
  };
}

const MOST_LINES = 60;
const LAST_LINES = 30;

/** What to say about a run of the CLI that failed: it says much before the reason, and sometimes much after it. */
export function cdkFailure(command: string, { code, lines }: CommandResult): string {
  const failed = lines.findIndex((line) => line.includes('❌'));
  const said = failed === -1 ? lines.slice(-LAST_LINES) : lines.slice(failed, failed + MOST_LINES);
  return `${command} failed with code ${code}:\n${said.join('\n')}`;
}

/** The bucket of the bootstrap stack refuses what does not come over TLS, which the emulator does not speak. */
async function allowPlainHttp(aws: AwsVariables): Promise<void> {
  const client = new AwsClient({
    accessKeyId: aws.AWS_ACCESS_KEY_ID,
    secretAccessKey: aws.AWS_SECRET_ACCESS_KEY,
    service: 's3',
    region: aws.AWS_REGION,
    retries: 0,
  });
  const response = await client.fetch(`${aws.AWS_ENDPOINT_URL}/${ASSET_BUCKET}?policy`, { method: 'DELETE' });
  if (!response.ok) {
    throw new Error(`deleting the policy of the bucket ${ASSET_BUCKET} failed: ${await response.text()}`);
  }
}

async function withScratchFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-cdk-'));
  try {
    return await action(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
