import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where what the tests build or install is kept: `$XDG_CACHE_HOME/nexus-lambda`, or `~/.cache/nexus-lambda`. */
export function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  // The XDG specification says that a relative path is to be ignored, and an empty one too.
  const base =
    env.XDG_CACHE_HOME !== undefined && isAbsolute(env.XDG_CACHE_HOME)
      ? env.XDG_CACHE_HOME
      : join(env.HOME ?? homedir(), '.cache');
  return join(base, 'nexus-lambda');
}
