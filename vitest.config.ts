import { defineConfig } from 'vitest/config';

// `import 'nexus-lambda'` in a test means src/, without a build first.
const source = 'nexus-lambda-source';
// Vite's own, which setting any replaces, but `module`: its files of the AWS SDK are for bundlers only.
const conditions = [source, 'node', 'development|production'];

export default defineConfig({
  resolve: { conditions },
  ssr: {
    resolve: {
      conditions,
      // Not `import`: packages that are required would get their ESM side.
      externalConditions: [source, 'node', 'module-sync'],
    },
  },
  test: {
    // Two cores are what CI has; suites that start servers would starve each other beyond that.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{e2e,emulator,deploy,java}/**'],
          setupFiles: ['test/property-seed.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          // Adapters of AWS services, and real deploys, on an emulator.
          name: 'deploy',
          include: ['test/{emulator,deploy}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          // The same contract suites on the emulators that need Java; `npm run test:java` only.
          name: 'java',
          include: ['test/java/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 600_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
