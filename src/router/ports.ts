import type { LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';
import type { AllowedCallback } from '../operations/callback-rules.ts';
import type { QueueUrls } from '../operations/record.ts';
import type { StoredCircuit } from './circuit.ts';
import type { EndpointOverride, OverrideSpec } from './override.ts';
import type { EndpointSettings } from './settings.ts';
import type { TokenAnswer, TokenAsk } from './tokens.ts';

/** Where an endpoint's requests go: as Temporal's own targets, a task queue in a namespace. */
export interface Target {
  readonly namespace: string;
  readonly taskQueue: string;
}

/** What the owner of an endpoint says about it. */
export interface EndpointSpec {
  /** Letters, digits and hyphens, a letter first, at least two characters: Temporal's own rule. */
  readonly name: string;
  readonly description?: string;
  readonly target: Target;
  /** The operations that the target's handler had when this was written; shown to callers that ask for others. */
  readonly services: readonly ServiceContract[];
  /** Those before the last change of them: a deploy that goes back to them breaks nobody who used them until now. */
  readonly previousServices?: readonly ServiceContract[];
  /** The principals that may call it, as `mayCall` reads them. Default: `local` alone, the dev server's. */
  readonly callers?: readonly string[];
  /** ARN of the Lambda function that serves the target, qualified by its alias; none in the dev server. */
  readonly functionArn?: string;
  /** Who wrote the entry and alone may change it, such as a stack's ARN. */
  readonly owner?: string;
  /** What the deploy declares. */
  readonly settings?: EndpointSettings;
  /** Operations that are delivered through a queue, as `service/operation`; whoever calls them cannot tell. */
  readonly queued?: readonly string[];
  /** URLs of the queues of its target, where these are of SQS. */
  readonly queues?: QueueUrls;
  /** Where completions may go. Empty by default: a callback URL is whatever a caller says. */
  readonly allowedCallbacks?: readonly AllowedCallback[];
  /** Operations, as `service/operation`, that are answered with a token where they are not done in the caller's time. */
  readonly promotable?: readonly string[];
  /** Operations whose retryable failures are retried here instead of given to the caller. */
  readonly absorbFailures?: readonly string[];
  /** Whether a repeated start is answered with the answer of the first one. Default: it runs again. */
  readonly deduplicate?: boolean;
}

/** An endpoint as the registry keeps it. */
export interface Endpoint extends EndpointSpec {
  /** 1 when created, one more with every update. */
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly lastModifiedAt: number;
  /** What is set at run time over the spec, whose deploys leave it alone. `effectiveSettings` reads both. */
  readonly override?: EndpointOverride;
  /** As `get` and `list` of the registry read it beside the rest; absent where nothing ever failed. */
  readonly circuit?: StoredCircuit;
}

/** Names that route. */
export interface EndpointRegistry {
  /** Reads what was written last. Gives up, and rejects, when the signal fires. */
  get(name: string, signal?: AbortSignal): Promise<Endpoint | undefined>;
  /** All of them, by name. */
  list(): Promise<Endpoint[]>;
  /** Fails with `EndpointExistsError` where the name is taken. */
  create(spec: EndpointSpec): Promise<Endpoint>;
  /** Fails with `EndpointVersionError` where `version` is not the stored one, `EndpointNotFoundError` where there is none. */
  update(spec: EndpointSpec, version: number): Promise<Endpoint>;
  /** Removes the endpoint with its override. Fails as `update` does. */
  delete(name: string, version: number): Promise<void>;
  /**
   * Sets what is set at run time, in place of all that was.
   *
   * Fails with `EndpointVersionError`, whose numbers are those of `fullVersion`, where spec or override are not those that
   * were read any more; with `EndpointNotFoundError` where there is no such endpoint; with a TypeError where it cannot be
   * set (`checkOverride`).
   *
   * @param read the endpoint that the override was made for
   */
  override(read: Endpoint, next: OverrideSpec): Promise<Endpoint>;
}

/** A slot of a concurrency limit, and who wants it or has it. */
export interface SlotLease {
  /** Names the limit and the part of its slots that this one belongs to. */
  readonly part: string;
  /** From 0 on. */
  readonly slot: number;
  /** Random: no two leases have the same. */
  readonly holder: string;
}

/**
 * Keeps what all environments together have of the limits. Each call gives up, and rejects, when its signal fires; what
 * it asked for may be done all the same.
 */
export interface LimitStore {
  /**
   * Takes tokens of a rate limit as `takeTokens` of tokens.ts does, all of them or none, by one write. A repetition whose
   * first answer was lost takes tokens again, and never gives one out twice.
   */
  takeTokens(limit: string, ask: TokenAsk, signal?: AbortSignal): Promise<TokenAnswer>;
  /** The slots that somebody has at this time, in milliseconds since the epoch. Reads what was written last. */
  heldSlots(part: string, now: number, signal?: AbortSignal): Promise<ReadonlySet<number>>;
  /** Takes a slot until a time, where nobody has it or has it no longer; true for a repetition, too. */
  takeSlot(
    lease: SlotLease,
    times: { readonly now: number; readonly until: number },
    signal?: AbortSignal,
  ): Promise<boolean>;
  /** Has a slot stay with its holder until then, where nobody else has taken it since. */
  extendSlot(lease: SlotLease, until: number, signal?: AbortSignal): Promise<void>;
  /** Lets a slot go, where this holder has it. */
  freeSlot(lease: SlotLease, signal?: AbortSignal): Promise<void>;
}

/** Keeps the circuits of endpoints; `EndpointRegistry` reads them. A circuit goes with its endpoint when that is deleted. */
export interface CircuitStore {
  /**
   * Writes a circuit where the stored one has the version before it: none, where this is version 1. Gives up, and rejects,
   * when the signal fires; it may have been written even so.
   */
  write(endpoint: string, circuit: StoredCircuit, signal?: AbortSignal): Promise<CircuitWrite>;
}

/** `stored` is what was in the way: absent where there is none, or none that this version reads. */
export type CircuitWrite =
  | { readonly kind: 'written' }
  | { readonly kind: 'conflict'; readonly stored?: StoredCircuit };

/** Runs a handler Lambda for one request and returns its answer. */
export interface Invoker {
  /**
   * Fails with `InvokeError` where the handler gave no answer: nothing serves the endpoint's target, it crashed, its
   * module does not load, or `waitMs` is over.
   *
   * @param canceled fires when the operation was canceled; a function on Lambda cannot be told
   */
  invoke(
    endpoint: Endpoint,
    invocation: NexusInvocation,
    waitMs: number,
    canceled?: AbortSignal,
  ): Promise<LambdaHttpResult>;
}

/** Time, so that tests can move it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}
