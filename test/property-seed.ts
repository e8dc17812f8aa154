import fc from 'fast-check';

// In CI the same cases in every run, so that a build is red for its own change only. Everywhere else new ones each time:
// that is where the rare ones are found. A failure prints its seed.
if (process.env.CI) fc.configureGlobal({ seed: 20_261_123 });
