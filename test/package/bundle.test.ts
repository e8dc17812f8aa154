import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { bodyJson, context, httpEvent } from '../handler/requests.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'nexus-lambda-bundle-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PLAIN_SERVICE = `
import { createServiceHandler } from 'nexus-lambda';
import { operation, service, serviceHandler } from 'nexus-rpc';

const greeting = service('greeting', { hello: operation() });
const greetingHandler = serviceHandler(greeting, { hello: async (_ctx, { name }) => ({ message: 'Hello, ' + name + '!' }) });
export const handler = createServiceHandler({ services: [greetingHandler] });
`;

async function bundle(contents: string, format: 'esm' | 'cjs', external: string[] = []) {
  const outfile = join(folder, `${format}.${format === 'esm' ? 'mjs' : 'cjs'}`);
  const { metafile } = await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node24',
    format,
    outfile,
    metafile: true,
    external,
    conditions: ['nexus-lambda-source'],
    logLevel: 'silent',
  });
  return { outfile, metafile };
}

const bytesOf = (metafile: Metafile) => Object.values(metafile.outputs).reduce((sum, { bytes }) => sum + bytes, 0);

describe.each(['esm', 'cjs'] as const)('the %s bundle of a service that imports only nexus-rpc', (format) => {
  it('is under 60 kB with middy, loads neither Temporal nor AWS, and answers its first request', async () => {
    const { outfile, metafile } = await bundle(PLAIN_SERVICE, format);
    const imported = [
      ...Object.keys(metafile.inputs),
      ...Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path)),
    ];
    expect(imported.filter((path) => /@temporalio|@aws-sdk|@smithy|grpc/.test(path))).toEqual([]);
    expect(imported).toContain('node_modules/@middy/core/index.js');
    expect(bytesOf(metafile)).toBeLessThan(60_000);

    const { handler } = await import(pathToFileURL(outfile).href);
    const path = '/nexus/endpoints/greeting/services/greeting/hello';
    expect(bodyJson(await handler(httpEvent(path, { body: '{"name":"Ada"}' }), context()))).toEqual({
      message: 'Hello, Ada!',
    });
  });
});

describe('the bundle of a service with the Temporal side', () => {
  it('shows that the test above can fail: it does hold the client', async () => {
    const { metafile } = await bundle(
      `${PLAIN_SERVICE}\nimport { temporal } from 'nexus-lambda/temporal'; console.log(temporal);`,
      'cjs',
    );
    expect(Object.keys(metafile.inputs).some((path) => path.includes('@temporalio/client'))).toBe(true);
    expect(bytesOf(metafile)).toBeGreaterThan(1_000_000);
  });
});

describe('the router', () => {
  /** Files that a module loads when it is loaded itself; with `later`, also what it loads then. */
  async function reachOf(entry: string, { later }: { readonly later: boolean }): Promise<string[]> {
    const { metafile } = await bundle(`import '${entry}';`, 'cjs', ['@aws-sdk/client-*', '@smithy/*']);
    const reached = new Set<string>();
    const visit = (file: string) => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { path, kind } of metafile.inputs[file]?.imports ?? []) {
        if (later || kind !== 'dynamic-import') visit(path);
      }
    };
    visit('<stdin>');
    return [...reached];
  }

  const LATER = /@aws-lambda-powertools|client-sqs|router-(?:durable|deduplication)|flow-emf/;

  it.each(['./functions/router.ts', './src/aws/lazy-deduplication.ts'])(
    'loads metrics, deduplication and queued delivery with what needs them only: %s',
    async (entry) => {
      expect((await reachOf(entry, { later: false })).filter((file) => LATER.test(file))).toEqual([]);
      expect((await reachOf(entry, { later: true })).filter((file) => LATER.test(file))).not.toEqual([]);
    },
  );
});
