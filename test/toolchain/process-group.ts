import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/*
 * Runs the command given as arguments and ends with it all that it started. Asked to end, it gives the command some
 * time first. For servers that leave their children to themselves: a child that computes never sees that it is alone.
 */
const GRACE_MS = 500;
const [command = '', ...args] = process.argv.slice(2);

const child = spawn(command, args, { stdio: 'inherit', detached: true });
child.once('error', (error) => {
  console.error(`${command} did not start: ${error.message}`);
  process.exit(127);
});
child.once('exit', (code, signal) => {
  killGroup();
  process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
});
process.once('SIGTERM', () => {
  child.kill('SIGTERM');
  setTimeout(killGroup, GRACE_MS);
});

function killGroup(): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // nothing of it is left
  }
}
