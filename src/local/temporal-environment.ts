import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { TemporalTarget } from './environment-messages.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Where `temporal server start-dev` listens. */
const DEV_SERVER_ADDRESS = '127.0.0.1:7233';

/**
 * The environment of the handlers: this one, with what `nexus-lambda dev` was given for the Temporal side, so that a
 * module that calls `temporal()` itself, as a Lambda entry point does, reaches the same Temporal.
 *
 * Where neither option, variable nor configuration file of the SDK says an address, it is that of a dev server on this
 * machine.
 */
export function temporalEnvironment(
  env: Env,
  target: TemporalTarget,
  platform: NodeJS.Platform = process.platform,
): Env {
  const address =
    target.address ?? env.TEMPORAL_ADDRESS ?? (hasConfigFile(env, platform) ? undefined : DEV_SERVER_ADDRESS);
  return {
    ...env,
    ...(address !== undefined && { TEMPORAL_ADDRESS: address }),
    ...(target.namespace !== undefined && { TEMPORAL_NAMESPACE: target.namespace }),
    TEMPORAL_TASK_QUEUE: target.taskQueue,
  };
}

/** By the rules of `@temporalio/envconfig`, which a service that only imports `nexus-rpc` must not load. */
function hasConfigFile(env: Env, platform: NodeJS.Platform): boolean {
  if (env.TEMPORAL_CONFIG_FILE) return true;
  const folder = configFolder(env, platform);
  return folder !== undefined && existsSync(join(folder, 'temporalio', 'temporal.toml'));
}

function configFolder(env: Env, platform: NodeJS.Platform): string | undefined {
  if (platform === 'win32') return env.APPDATA || undefined;
  if (platform === 'darwin') return env.HOME && join(env.HOME, 'Library', 'Application Support');
  if (env.XDG_CONFIG_HOME) return isAbsolute(env.XDG_CONFIG_HOME) ? env.XDG_CONFIG_HOME : undefined;
  return env.HOME && join(env.HOME, '.config');
}
