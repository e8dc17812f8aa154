import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { defaultCacheDir } from './cache-dir.ts';
import { commandPath } from './command-path.ts';
import { ensureGoBinary, type GoBinary } from './go-binary.ts';

export interface BinaryOptions {
  /** Gets a line of text now and then while something is built: `building the Temporal CLI 1.5.1: 512 packages compiled, 65 s`. */
  readonly onProgress?: (line: string) => void;
  /** Where what was built is kept. Default `$XDG_CACHE_HOME/nexus-lambda`, or `~/.cache/nexus-lambda`. */
  readonly cacheDir?: string;
  /** Environment whose PATH is searched for `temporal` and `go`. Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

const temporalCli: GoBinary = {
  title: 'the Temporal CLI 1.5.1',
  module: 'github.com/temporalio/cli/cmd/temporal@v1.5.1',
  folder: 'temporal-cli-v1.5.1',
  file: 'temporal',
  orInstall: 'the Temporal CLI 1.5.1 (https://docs.temporal.io/cli)',
};

/** What `temporal --version` of the CLI 1.5.1 says, whether it was released or built with Go. */
const oldServer = /\(Server 1\.29\.1\b/;

const temporalServer: GoBinary = {
  title: 'the Temporal server 1.32.1',
  module: 'go.temporal.io/server/cmd/server@v1.32.1',
  folder: 'temporal-server-v1.32.1',
  file: 'server',
};

/**
 * Path of a `temporal` command: the one on the PATH where it runs, of whatever version, else 1.5.1, built once with Go.
 *
 * Fails where there is neither, saying what to install.
 */
export async function ensureTemporalCli(options: BinaryOptions = {}): Promise<string> {
  const installed = await installedCli(options.env ?? process.env);
  return installed?.path ?? build(temporalCli, options);
}

/**
 * Path of a `temporal` command whose dev server is 1.29.1: the one on the PATH where it is that, else 1.5.1, built once
 * with Go.
 *
 * Fails where there is neither, saying what to install.
 */
export async function ensureOldTemporalCli(options: BinaryOptions = {}): Promise<string> {
  const installed = await installedCli(options.env ?? process.env);
  return installed !== undefined && oldServer.test(installed.version) ? installed.path : build(temporalCli, options);
}

/** Path of the Temporal server 1.32.1, built once with Go. Fails where there is no Go, saying what to install. */
export async function ensureTemporalServer(options: BinaryOptions = {}): Promise<string> {
  return build(temporalServer, options);
}

interface InstalledCli {
  readonly path: string;
  /** What its `--version` says. */
  readonly version: string;
}

async function installedCli(env: NodeJS.ProcessEnv): Promise<InstalledCli | undefined> {
  const path = await commandPath('temporal', env);
  if (path === undefined) return undefined;
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { env, timeout: 10_000 });
    return { path, version: stdout };
  } catch {
    // Built for another machine, say: as good as none, and there is another way to get one.
    return undefined;
  }
}

function build(binary: GoBinary, { env = process.env, cacheDir = defaultCacheDir(env), onProgress }: BinaryOptions) {
  return ensureGoBinary(binary, { env, cacheDir, onProgress: onProgress ?? (() => {}) });
}
