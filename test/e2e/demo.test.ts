import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { freePorts } from '../toolchain/free-ports.ts';

const root = join(import.meta.dirname, '../..');

it('npm start serves the sample, calls it from a workflow, and ends with Ctrl-C', async () => {
  const [port] = await freePorts(1);
  // What `npm start` runs: npm itself would keep the exit code.
  const demo = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'functions/demo/start.ts'], {
    cwd: root,
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void demo.kill('SIGKILL'));
  const said: string[] = [];
  for await (const line of createInterface({ input: demo.stdout })) {
    said.push(line);
    if (line.includes('Ctrl-C ends all of it')) break;
  }
  demo.stdout.resume();
  const text = said.join('\n');
  expect(text).toContain('hello    "Hello, Ada!"');
  expect(text).toContain('onboard  "Welcome aboard, Ada!"');
  const pages = [...text.matchAll(/(http:\S+)\/namespaces\/default\/workflows\/(\S+?)\/\S+\/history/g)];
  expect(pages.map(([, , workflow]) => workflow?.replace(/-.*/, ''))).toEqual(['call', 'onboarding']);

  const url = `http://127.0.0.1:${port}/nexus/endpoints/greeting/services/greeting/hello`;
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: '{"name":"Grace"}' });
  expect(await answer.json()).toEqual({ message: 'Hello, Grace!' });

  demo.kill('SIGINT');
  expect(await once(demo, 'exit')).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow();
  await expect(fetch(pages[0]?.[1] ?? '')).rejects.toThrow();
});
