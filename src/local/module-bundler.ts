import { rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildResult, Message, Plugin } from 'esbuild';
import { bundleName, cacheFolderFor } from './cache-folder.ts';
import { missingPackagePlugin } from './missing-package-plugin.ts';

/** What to bundle. Absolute paths. */
export interface BundleSources {
  readonly modulePath: string;
  readonly dataConverterPath?: string;
}

/** What happens to the sources. */
export interface BundleEvents {
  /** A new bundle lies at `url`; `discard` removes it. */
  built(bundle: Bundle): void;
  /** The sources do not build; `problem` has a place and a code frame for each error. */
  failed(problem: string): void;
  /** The sources build, but esbuild has something to say. */
  warned(problem: string): void;
}

export interface Bundle {
  readonly url: string;
  discard(): void;
}

/**
 * Bundles a module now and after each change of one of its files, packages aside. The bundle exports the module's
 * exports as `module`, and those of the data converter's module as `dataConverterModule`.
 *
 * Names are kept: `@temporalio/client` starts a workflow by its function's name.
 */
export async function watchModule(
  sources: BundleSources,
  events: BundleEvents,
  colors: boolean,
): Promise<{ close(): Promise<void> }> {
  const { context, formatMessages } = await import('esbuild');
  const folder = dirname(sources.modulePath);
  const write = bundleWriter(cacheFolderFor(folder));
  const format = async (messages: Message[], kind: 'error' | 'warning'): Promise<string> =>
    (await formatMessages(messages, { kind, color: colors })).join('').trimEnd();

  const reporter: Plugin = {
    name: 'reporter',
    setup(build) {
      build.onEnd(async ({ errors, warnings, outputFiles }: BuildResult<{ write: false }>) => {
        if (warnings.length > 0) events.warned(await format(warnings, 'warning'));
        if (errors.length > 0) return events.failed(await format(errors, 'error'));
        const bundle = outputFiles?.[0] && write(outputFiles[0]);
        if (bundle) events.built(bundle);
      });
    },
  };
  const built = await context({
    stdin: { contents: entryOf(sources), resolveDir: folder, sourcefile: 'nexus-lambda-dev-entry.js' },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: `node${process.versions.node}`,
    packages: 'external',
    keepNames: true,
    sourcemap: 'inline',
    // esbuild writes source maps relative to the output's place.
    outfile: join(write.folder, 'bundle.mjs'),
    // Modules in CommonJS have packages to require, which an ES module has no `require` for.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'silent',
    plugins: [missingPackagePlugin, reporter],
  });
  await built.watch();
  return {
    async close() {
      await built.dispose();
      write.discardAll();
    },
  };
}

function entryOf({ modulePath, dataConverterPath }: BundleSources): string {
  const folder = dirname(modulePath);
  const lines = [`export * as module from ${JSON.stringify(`./${basename(modulePath)}`)};`];
  if (dataConverterPath !== undefined) {
    const path = relative(folder, dataConverterPath).replaceAll('\\', '/');
    lines.push(`export * as dataConverterModule from ${JSON.stringify(path.startsWith('.') ? path : `./${path}`)};`);
  }
  return lines.join('\n');
}

/** Each version gets a file of its own: Node loads the same address once. */
function bundleWriter(folder: string) {
  const written = new Set<string>();
  let last: { readonly hash: string; readonly number: number } = { hash: '', number: 0 };

  function discard(file: string): void {
    written.delete(file);
    rmSync(file, { force: true });
  }

  /** Returns nothing where the sources were saved without a change. */
  function write({ hash, contents }: { readonly hash: string; readonly contents: Uint8Array }): Bundle | undefined {
    if (hash === last.hash) return undefined;
    last = { hash, number: last.number + 1 };
    const file = join(folder, bundleName(process, last.number));
    writeFileSync(file, contents);
    written.add(file);
    return { url: pathToFileURL(file).href, discard: () => discard(file) };
  }

  return Object.assign(write, { folder, discardAll: () => [...written].forEach(discard) });
}
