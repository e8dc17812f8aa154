/*
 * Builds the Temporal servers of the tests where they are not built yet: before the tests, and not beside those that
 * look at time.
 */
import { createProgress } from './progress.ts';
import { ensureOldTemporalCli, ensureTemporalServer } from './temporal-binaries.ts';

const progress = createProgress(process.stdout, () => performance.now());
const options = { onProgress: progress.show };
const paths = [await ensureOldTemporalCli(options), await ensureTemporalServer(options)];
progress.done();
console.log(`Temporal servers of the tests: ${paths.join(', ')}`);
