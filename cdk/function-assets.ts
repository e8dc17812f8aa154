import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import { Code } from 'aws-cdk-lib/aws-lambda';

/** Our own Lambda functions, bundled by the build of this package. */
export type FunctionName = 'router' | 'authorizer' | 'registration' | 'operations';

/** The built code of one of them. */
export function functionCode(name: FunctionName): Code {
  const here = import.meta.dirname;
  const isBuilt = here.endsWith(join(sep, 'dist', 'cdk'));
  const folder = join(here, isBuilt ? '../functions' : '../dist/functions', name);
  if (existsSync(join(folder, 'index.js'))) return Code.fromAsset(folder);
  throw new Error(`the code of the ${name} function is not built: ${folder} has no index.js; run "npm run build"`);
}
