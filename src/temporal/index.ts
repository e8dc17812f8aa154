export { type TemporalOptions, temporal } from './temporal.ts';
