import type { DoctorTemporal } from '../temporal/doctor-temporal.ts';
import type { AddressSeen } from './address-hop.ts';
import type { AnswerSeen } from './ask-handler.ts';
import type { Auth } from './auth.ts';
import type { Target } from './target.ts';

/** What a walk reaches the world through. */
export interface WalkDeps {
  readonly connect: (target: Target, signal: AbortSignal) => Promise<AddressSeen>;
  readonly ask: (
    target: Target,
    auth: Auth,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ) => Promise<AnswerSeen>;
  /** Undefined where nothing names its address. Rejects with a DoctorUsageError where its packages are missing. */
  readonly openTemporal: () => Promise<DoctorTemporal | undefined>;
  /** Milliseconds, from any point. */
  readonly now: () => number;
  /** Rejects when the signal fires. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface WalkContext {
  readonly deps: WalkDeps;
  /** Longest time that one hop may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the walk; what it has started is cleaned away all the same. */
  readonly signal: AbortSignal;
}
