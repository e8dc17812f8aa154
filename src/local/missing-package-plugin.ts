import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

const ASKED = Symbol('asked esbuild itself');

/**
 * Reports an import of a package that is not installed at the line of the import. esbuild leaves packages to Node, and
 * Node's own error knows no line.
 */
export const missingPackagePlugin: Plugin = {
  name: 'missing-package',
  setup(build) {
    build.onResolve({ filter: /^[^./#]/ }, async ({ path, pluginData, ...args }) => {
      // `require` and `import()` may stand in a try block, for a package that may be missing.
      if (pluginData === ASKED || args.kind !== 'import-statement' || path.includes(':') || isBuiltin(path))
        return undefined;
      const { kind, importer, resolveDir, namespace } = args;
      const resolved = await build.resolve(path, { kind, importer, resolveDir, namespace, pluginData: ASKED });
      // Not external: a path of tsconfig.json led to a file.
      if (!resolved.external || isInstalled(packageOf(path), resolveDir)) return resolved;
      return {
        errors: [{ text: `Could not find package "${packageOf(path)}"; install it: npm i ${packageOf(path)}` }],
      };
    });
  },
};

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** In a `node_modules` on the way up, or the package itself that the folder belongs to. */
function isInstalled(name: string, folder: string): boolean {
  if (process.versions.pnp !== undefined) return true; // Yarn's Plug'n'Play has no such folders
  if (existsSync(join(folder, 'node_modules', name)) || isPackage(name, folder)) return true;
  const parent = dirname(folder);
  return parent !== folder && isInstalled(name, parent);
}

function isPackage(name: string, folder: string): boolean {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return false;
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }).name === name;
  } catch {
    return false; // a broken package.json is Node's to complain about
  }
}
