export type { TemporalCredentials } from './connect-config.ts';
export { type TemporalOptions, temporal } from './temporal.ts';
