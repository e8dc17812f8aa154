import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { constants } from 'node:os';

/**
 * Runs the command given as arguments and ends it when stdin closes, which the kernel does when the process that
 * started this one dies, even by SIGKILL. Its folder, if it has one, is removed then. Started by `startGuarded`.
 */
const [killAfterMs, folder = '', command = '', ...args] = process.argv.slice(2);
let ending = false;

const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
child.once('error', (error) => {
  console.error(`${command} did not start: ${error.message}`);
  process.exit(127);
});
child.once('exit', (code, signal) => {
  if (ending && folder !== '') rmSync(folder, { recursive: true, force: true });
  process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
});

const end = () => {
  ending = true;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), Number(killAfterMs)).unref();
};
process.stdin.once('end', end);
process.once('SIGTERM', end);
process.once('SIGINT', end);
process.stdin.resume();
