#!/usr/bin/env node
// Loads on any Node: what an old one cannot run is imported only after its version was looked at.

const MINIMUM_NODE = 24;

const major = Number.parseInt(process.versions.node, 10);
if (major < MINIMUM_NODE) {
  process.stderr.write(
    `nexus-lambda needs Node ${MINIMUM_NODE}, and this is ${process.versions.node}. Update Node, or put one into this project:\n` +
      `  npm i -D node@${MINIMUM_NODE}\nand run the same npx command again.\n`,
  );
  process.exitCode = 1;
} else {
  const { run } = await import('./program.ts');
  await run(process.argv);
}
