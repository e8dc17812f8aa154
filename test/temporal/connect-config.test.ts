import { describe, expect, it } from 'vitest';
import { connectConfig } from '../../src/temporal/connect-config.ts';

const read = (env: Record<string, string>, options = {}, taskQueue?: string) =>
  // No file of the machine's user decides here.
  connectConfig(options, taskQueue, { TEMPORAL_CONFIG_FILE: 'no-such-file.toml', ...env });

describe('how to reach Temporal', () => {
  it("comes from the SDK's environment configuration", () => {
    const config = read({
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'orders',
      TEMPORAL_API_KEY: 'key',
      TEMPORAL_TASK_QUEUE: 'queue',
    });
    expect(config).toMatchObject({
      namespace: 'orders',
      taskQueue: 'queue',
      connectionOptions: { address: 'temporal.example:7233', apiKey: 'key', tls: true },
    });
  });

  it('is overridden by what the code says', () => {
    const env = { TEMPORAL_ADDRESS: 'a:1', TEMPORAL_NAMESPACE: 'n', TEMPORAL_TASK_QUEUE: 'q' };
    const config = read(env, { address: 'b:2', namespace: 'm', connectionOptions: { tls: {} } }, 'r');
    expect(config).toEqual({ namespace: 'm', taskQueue: 'r', connectionOptions: { address: 'b:2', tls: {} } });
  });

  it('fails when nothing says it, naming all that is missing and where to set it', () => {
    expect(() => read({})).toThrow(/TEMPORAL_ADDRESS.*TEMPORAL_TASK_QUEUE/);
    expect(() => read({ TEMPORAL_ADDRESS: 'a:1' })).toThrow(/^temporal\(\) needs the task queue/);
  });
});
