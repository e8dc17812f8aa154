/*
 * Bundles our own Lambda functions into dist/functions, one folder each, for the constructs to deploy as they are: who
 * installs nexus-lambda bundles nothing of ours.
 */
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

for (const name of ['router', 'authorizer', 'registration', 'operations']) {
  await build({
    entryPoints: [join(root, `functions/${name}.ts`)],
    outfile: join(root, `dist/functions/${name}/index.js`),
    bundle: true,
    platform: 'node',
    target: 'node24',
    // Starts in half the time of ESM: Node loads its own modules faster by `require`.
    format: 'cjs',
    minify: true,
    keepNames: true,
    // The runtime's own: as fast as bundled ones, and patched by AWS. Of the other packages of the SDK not all are there.
    external: ['@aws-sdk/client-*', '@smithy/*'],
    logLevel: 'warning',
  });
}
