import type { EndpointSettings } from './settings.ts';

/** Who set something at run time, why, and for how long. */
export interface OverrideMark {
  /** The principal that asked for it. */
  readonly author: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds since the epoch; from then on, what the deploy declares holds again. Absent: until somebody takes it back. */
  readonly expiresAt?: number;
}

/** A setting's value at run time. */
export interface OverriddenSetting extends OverrideMark {
  readonly value: number;
}

/**
 * What people set of an endpoint at run time, over what its deploy declares. Each setting has its own author and expiry: a
 * pause of ten minutes must not end a limit that somebody else set for the day.
 */
export interface EndpointOverride {
  readonly settings: Readonly<Partial<Record<keyof EndpointSettings, OverriddenSetting>>>;
  /** Present where nothing is to be delivered. */
  readonly paused?: OverrideMark;
  /** 1 when first written, one more with every change; what is taken back leaves an empty override with the next version. */
  readonly version: number;
}

/** An override without what the registry adds. */
export type OverrideSpec = Omit<EndpointOverride, 'version'>;
