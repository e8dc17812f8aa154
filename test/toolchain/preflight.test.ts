import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const preflight = (path: string) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'preflight.ts')], { encoding: 'utf8', env: { PATH: path } });

describe('the preflight of a test run', () => {
  it('says what was found, and passes where nothing is missing', () => {
    const { status, stdout } = preflight(`${dirname(process.execPath)}:${process.env.PATH}`);
    expect(stdout).toMatch(/^preflight: Node\.js 24\.\d+, Go 1\.\d+, Python with venv 3\.\d+; nothing is missing$/m);
    expect(status).toBe(0);
  });

  it('fails where something is missing, and says how to mend it', () => {
    const { status, stderr } = preflight(dirname(process.execPath));
    expect(stderr).toContain('Go 1.21 or newer is not on the PATH: install Go');
    expect(stderr).toContain('Python with venv 3.10 or newer is not on the PATH: install Python');
    expect(status).toBe(1);
  });
});
