import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Makes optional packages be found in a folder's project as well, where they are not beside nexus-lambda: npx installs
 * nexus-lambda in a place of its own.
 */
export function findPackagesFrom(folder: string): void {
  const parentURL = pathToFileURL(join(folder, 'any.js')).href;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (!/^@(?:temporalio|aws-sdk)\//.test(specifier)) return nextResolve(specifier, context);
      const original = { ...context }; // nextResolve writes into the context that it is given
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        try {
          return nextResolve(specifier, { ...original, parentURL });
        } catch {
          throw error; // which names the place where it was wanted
        }
      }
    },
  });
}
