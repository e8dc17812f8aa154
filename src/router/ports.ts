import type { LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';

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
}

/** An endpoint as the registry keeps it. */
export interface Endpoint extends EndpointSpec {
  /** 1 when created, one more with every update. */
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly lastModifiedAt: number;
}

/** Names that route. */
export interface EndpointRegistry {
  get(name: string): Promise<Endpoint | undefined>;
  /** All of them, by name. */
  list(): Promise<Endpoint[]>;
  /** Fails with `EndpointExistsError` where the name is taken. */
  create(spec: EndpointSpec): Promise<Endpoint>;
  /** Fails with `EndpointVersionError` where `version` is not the stored one, `EndpointNotFoundError` where there is none. */
  update(spec: EndpointSpec, version: number): Promise<Endpoint>;
  /** Fails as `update` does. */
  delete(name: string, version: number): Promise<void>;
}

/** Runs a handler Lambda for one request and returns its answer. */
export interface Invoker {
  /**
   * Fails with `InvokeError` where the handler gave no answer: nothing serves the target, it crashed, its module does
   * not load, or `invocation.timeoutMs` is over.
   */
  invoke(target: Target, invocation: NexusInvocation): Promise<LambdaHttpResult>;
}

/** Time, so that tests can move it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}
