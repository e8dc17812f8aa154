import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporalEnvironment } from '../../src/local/temporal-environment.ts';
import { temporaryFolder } from './temporary-folder.ts';

const TARGET = { taskQueue: 'shop' };

function homeWith(...path: string[]): string {
  const home = temporaryFolder();
  mkdirSync(join(home, ...path, 'temporalio'), { recursive: true });
  writeFileSync(join(home, ...path, 'temporalio', 'temporal.toml'), '');
  return home;
}

it('adds the dev server of Temporal and the task queue where nothing says otherwise', () => {
  const env = { HOME: temporaryFolder(), PATH: '/bin' };
  expect(temporalEnvironment(env, TARGET, 'linux')).toEqual({
    ...env,
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    TEMPORAL_TASK_QUEUE: 'shop',
  });
});

it('prefers options to variables', () => {
  const env = { TEMPORAL_ADDRESS: 'a:1', TEMPORAL_NAMESPACE: 'n', TEMPORAL_TASK_QUEUE: 'q' };
  expect(temporalEnvironment(env, { address: 'b:2', namespace: 'm', taskQueue: 'r' })).toEqual({
    TEMPORAL_ADDRESS: 'b:2',
    TEMPORAL_NAMESPACE: 'm',
    TEMPORAL_TASK_QUEUE: 'r',
  });
  expect(temporalEnvironment(env, { taskQueue: 'q' })).toEqual(env);
});

it.each([
  ['named', 'linux', () => ({ TEMPORAL_CONFIG_FILE: '/somewhere.toml' })],
  ["in the user's folder", 'linux', () => ({ HOME: homeWith('.config') })],
  ['in XDG_CONFIG_HOME', 'linux', () => ({ XDG_CONFIG_HOME: homeWith() })],
  ["in macOS's folder", 'darwin', () => ({ HOME: homeWith('Library', 'Application Support') })],
  ["in Windows' folder", 'win32', () => ({ APPDATA: homeWith() })],
] as const)('leaves the address to a configuration file of the SDK that is %s', (_where, platform, env) => {
  expect(temporalEnvironment(env(), TARGET, platform)).not.toHaveProperty('TEMPORAL_ADDRESS');
});

it('overlooks a relative XDG_CONFIG_HOME, as the SDK does', () => {
  expect(temporalEnvironment({ XDG_CONFIG_HOME: '.' }, TARGET, 'linux')).toHaveProperty('TEMPORAL_ADDRESS');
});
