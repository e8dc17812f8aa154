import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../local/temporary-folder.ts';

const MODULE = join(import.meta.dirname, '../../src/cli/project-packages.ts');

/** Imports a package in a process of its own, from a module that is not in the project. */
function importFrom(project: string, specifier: string): string {
  const module = join(temporaryFolder(), 'importer.mjs');
  writeFileSync(
    module,
    `import { findPackagesFrom } from ${JSON.stringify(MODULE)};
    findPackagesFrom(${JSON.stringify(project)});
    try {
      console.log((await import(${JSON.stringify(specifier)})).default);
    } catch (error) {
      console.log(error.code, error.message);
    }`,
  );
  return execFileSync(process.execPath, [module], { encoding: 'utf8' }).trim();
}

function projectWith(name: string): string {
  const project = temporaryFolder();
  const folder = join(project, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, main: 'index.cjs' }));
  writeFileSync(join(folder, 'index.cjs'), "module.exports = 'found';");
  return project;
}

it.each(['@temporalio/client', '@aws-sdk/credential-providers'])("finds the project's %s", (name) => {
  expect(importFrom(projectWith(name), name)).toBe('found');
});

it('leaves other packages alone, and fails as ever where a package is nowhere', () => {
  expect(importFrom(projectWith('lodash'), 'lodash')).toMatch(/^ERR_MODULE_NOT_FOUND Cannot find package 'lodash'/);
  expect(importFrom(temporaryFolder(), '@temporalio/client')).toMatch(
    /^ERR_MODULE_NOT_FOUND Cannot find package '@temporalio\/client' imported from .*importer\.mjs/,
  );
});
