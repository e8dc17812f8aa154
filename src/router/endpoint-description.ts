import type { ServiceContract } from '../nexus/message.ts';
import { type Drift, drift, effectiveSettings, overrideInEffect, pauseInEffect } from './effective-settings.ts';
import { fullVersion } from './endpoint-override.ts';
import type { CircuitStatus } from './flow-event.ts';
import type { OverrideMark } from './override.ts';
import type { Endpoint, Target } from './ports.ts';
import { withBursts } from './rate-limits.ts';
import { type EndpointSettings, SETTINGS } from './settings.ts';

// What the management API shows of endpoints, as JSON. Times are ISO 8601 in UTC.

/** An endpoint in a list. */
export interface EndpointSummary {
  readonly name: string;
  readonly description?: string;
  readonly target: Target;
  /** One more with every change, be it by a deploy or at run time. What changes it may say which one it is for. */
  readonly version: number;
  /** Who deployed it and alone changes what is declared; absent where that is done here. */
  readonly owner?: string;
  readonly paused?: DescribedMark;
  /** Settings that hold another value than the deploy declares. */
  readonly drift: readonly DescribedDrift[];
}

/** Who set something at run time, why, since when and until when. */
export interface DescribedMark {
  readonly author: string;
  readonly reason: string;
  readonly since: string;
  /** Absent: until somebody takes it back. */
  readonly until?: string;
}

export type DescribedDrift = Omit<Drift, 'since' | 'until'> & DescribedMark;

/** All that is shown of one endpoint. */
export interface EndpointDescription extends EndpointSummary, EndpointState {
  readonly settings: {
    /** By the deploy. */
    readonly declared: EndpointSettings;
    /** At run time, over it. */
    readonly override: Readonly<Partial<Record<keyof EndpointSettings, DescribedMark & { readonly value: number }>>>;
    /** What holds, the defaults included; absent: no limit. */
    readonly effective: EndpointSettings;
  };
  readonly callers: readonly string[];
  /** Absent in the dev server, and where nothing serves the target. */
  readonly functionArn?: string;
  readonly services: readonly ServiceContract[];
  /** Operations that are delivered through a queue, as `service/operation`. */
  readonly queued: readonly string[];
  readonly createdAt: string;
  /** When what is declared was last changed. */
  readonly lastModifiedAt: string;
}

/** What is known of an endpoint besides its entry. */
export interface EndpointState {
  /** How many of its queued operations are in each state. */
  readonly operations?: Readonly<Record<string, number>>;
  readonly circuit?: { readonly status: CircuitStatus };
}

export function summarizeEndpoint(endpoint: Endpoint, now: number): EndpointSummary {
  const { name, description, target, owner } = endpoint;
  const pause = pauseInEffect(endpoint, now);
  return {
    name,
    ...(description !== undefined && { description }),
    target,
    version: fullVersion(endpoint),
    ...(owner !== undefined && { owner }),
    ...(pause && { paused: describeMark(pause) }),
    drift: drift(endpoint, now).map(({ since, until, ...one }) => ({
      ...one,
      since: iso(since),
      ...(until !== undefined && { until: iso(until) }),
    })),
  };
}

export function describeEndpoint(endpoint: Endpoint, state: EndpointState, now: number): EndpointDescription {
  const { settings = {}, override, callers = ['local'], functionArn, services, queued = [] } = endpoint;
  const overridden = override === undefined ? {} : overrideInEffect(override, now).settings;
  return {
    ...summarizeEndpoint(endpoint, now),
    settings: {
      declared: settings,
      override: Object.fromEntries(
        Object.entries(overridden).map(([name, { value, ...mark }]) => [name, { value, ...describeMark(mark) }]),
      ),
      effective: withBursts({ ...DEFAULTS, ...effectiveSettings(endpoint, now) }),
    },
    callers,
    ...(functionArn !== undefined && { functionArn }),
    services,
    queued,
    createdAt: iso(endpoint.createdAt),
    lastModifiedAt: iso(endpoint.lastModifiedAt),
    ...state,
  };
}

const DEFAULTS: EndpointSettings = Object.fromEntries(
  Object.entries(SETTINGS).flatMap(([name, setting]) =>
    setting.default === undefined ? [] : [[name, setting.default]],
  ),
);

function describeMark({ author, reason, at, expiresAt }: OverrideMark): DescribedMark {
  return { author, reason, since: iso(at), ...(expiresAt !== undefined && { until: iso(expiresAt) }) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
