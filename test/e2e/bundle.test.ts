import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { context, httpEvent } from '../handler/requests.ts';
import { useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

const folder = mkdtempSync(join(tmpdir(), 'nexus-lambda-e2e-bundle-'));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe.each(serverVersions)('the minified bundle of a workflow-backed service, on the %s server', (version) => {
  const temporal = useTemporal(version);

  it('starts the workflow by its name, with the names kept', async () => {
    const outfile = join(folder, `${version}.cjs`);
    await build({
      entryPoints: [join(import.meta.dirname, '../../functions/greeting.ts')],
      bundle: true,
      minify: true,
      keepNames: true,
      platform: 'node',
      format: 'cjs',
      outfile,
      conditions: ['nexus-lambda-source'],
      logLevel: 'silent',
    });
    // As a Lambda function has its settings.
    vi.stubEnv('TEMPORAL_ADDRESS', temporal.world.address);
    vi.stubEnv('TEMPORAL_TASK_QUEUE', 'nobody-polls-this');
    const { handler } = createRequire(import.meta.url)(outfile);

    const requestId = randomUUID();
    const path = '/nexus/endpoints/greeting/services/greeting/onboard';
    const result = await handler(
      httpEvent(path, { body: '{"name":"Ada"}', headers: { 'nexus-request-id': requestId } }),
      context(),
    );
    expect(result.statusCode).toBe(201);
    const workflow = temporal.client.workflow.getHandle(`onboarding-${requestId}`);
    expect((await workflow.describe()).type).toBe('onboarding');
    await workflow.terminate('seen');
  });
});
