import { rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildResult, Message, OutputFile, Plugin } from 'esbuild';
import { bundleName, cacheFolderFor } from './cache-folder.ts';
import { missingPackagePlugin } from './missing-package-plugin.ts';
import { type FileTimes, onceSaved, timesOf } from './saved-files.ts';

/** What to bundle. Absolute paths. */
export interface BundleSources {
  readonly modulePath: string;
  readonly dataConverterPath?: string;
}

/** What happens to the sources. */
export interface BundleEvents {
  /** A new bundle. There is no other one for the same sources until it is discarded. */
  built(bundle: Bundle): void;
  /** The sources do not build; `problem` has a place and a code frame for each error. */
  failed(problem: string): void;
  /** The sources build, but esbuild has something to say. */
  warned(problem: string): void;
}

export interface Bundle {
  readonly url: string;
  /** Removes it. Where it is the newest one, the next save of one of its files makes another, with or without a change. */
  discard(): void;
}

type BundleResult = BuildResult<{ write: false; metafile: true }>;

/**
 * Bundles a module now and after each change of one of its files, packages aside; after a failure, also where a file
 * is saved without a change, since what was missing may lie outside of them. The bundle exports the module's
 * exports as `module`, and those of the data converter's module as `dataConverterModule`.
 *
 * Names are kept: `@temporalio/client` starts a workflow by its function's name.
 */
export async function watchModule(
  sources: BundleSources,
  events: BundleEvents,
  colors: boolean,
): Promise<{ close(): Promise<void> }> {
  const { context, formatMessages, stop } = await import('esbuild');
  // Its own process finds out a second later that this one is gone, and on a busy machine at times never.
  const leaveNone = () => void stop();
  process.once('exit', leaveNone);
  const folder = dirname(sources.modulePath);
  const write = bundleWriter(cacheFolderFor(folder));
  const format = async (messages: Message[], kind: 'error' | 'warning'): Promise<string> =>
    (await formatMessages(messages, { kind, color: colors })).join('').trimEnd();

  let stopWaiting = () => {};
  let closed = false;
  function buildOnceSaved(times: FileTimes): void {
    if (closed) return;
    // It rejects where the sources do not build, which the reporter has told by then.
    stopWaiting = onceSaved(times, () => void built.rebuild().catch(() => {}));
  }

  const reporter: Plugin = {
    name: 'reporter',
    setup(build) {
      build.onEnd(async ({ errors, warnings, outputFiles, metafile }: BundleResult) => {
        stopWaiting();
        if (warnings.length > 0) events.warned(await format(warnings, 'warning'));
        if (errors.length > 0) {
          write.forget();
          buildOnceSaved(timesOf([sources.modulePath, ...filesOf(errors)]));
          return events.failed(await format(errors, 'error'));
        }
        const times = timesOf(Object.keys(metafile.inputs).map((file) => resolve(file)));
        const bundle = outputFiles[0] && write(outputFiles[0], () => buildOnceSaved(times));
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
      closed = true;
      stopWaiting();
      await built.dispose();
      process.off('exit', leaveNone);
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

function filesOf(messages: readonly Message[]): string[] {
  return messages.flatMap(({ location }) => (location === null ? [] : [resolve(location.file)]));
}

/** Each version gets a file of its own: Node loads the same address once. */
function bundleWriter(folder: string) {
  const written = new Set<string>();
  let last: { readonly hash: string; readonly number: number } = { hash: '', number: 0 };

  function remove(file: string): void {
    written.delete(file);
    rmSync(file, { force: true });
  }

  function forget(): void {
    last = { hash: '', number: last.number };
  }

  /** Returns nothing where that lies there already. */
  function write({ hash, contents }: OutputFile, lastDiscarded: () => void): Bundle | undefined {
    if (hash === last.hash) return undefined;
    const version = { hash, number: last.number + 1 };
    last = version;
    const file = join(folder, bundleName(process, version.number));
    writeFileSync(file, contents);
    written.add(file);
    return {
      url: pathToFileURL(file).href,
      discard() {
        remove(file);
        if (last !== version) return;
        forget();
        lastDiscarded();
      },
    };
  }

  return Object.assign(write, { folder, forget, discardAll: () => [...written].forEach(remove) });
}
