import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { EnvironmentSetup } from './environment-messages.ts';

const OWN_PACKAGE = new URL('.', pathToFileURL(createRequire(import.meta.url).resolve('nexus-lambda/package.json')))
  .href;

/**
 * Makes this thread find packages as from the user's module: those that the bundle imports, wherever the bundle lies,
 * and the optional peers of nexus-lambda itself, which npx does not install beside it.
 */
export function preferPackagesOf({ bundleUrl, moduleUrl }: Pick<EnvironmentSetup, 'bundleUrl' | 'moduleUrl'>): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const { parentURL } = context; // nextResolve writes into the context that it is given
      if (parentURL === bundleUrl) return nextResolve(specifier, { ...context, parentURL: moduleUrl });
      if (!specifier.startsWith('@temporalio/') || !isOwnFile(parentURL)) return nextResolve(specifier, context);
      try {
        return nextResolve(specifier, { ...context, parentURL: moduleUrl });
      } catch {
        // Not there: then beside nexus-lambda, or its error names the package for the message about missing peers.
        return nextResolve(specifier, { ...context, parentURL });
      }
    },
  });
}

function isOwnFile(url = ''): boolean {
  return url.startsWith(OWN_PACKAGE) && !url.slice(OWN_PACKAGE.length).includes('node_modules/');
}
