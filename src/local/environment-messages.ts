import type { LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';

/** What an execution environment is started with. */
export interface EnvironmentSetup {
  /** Exports `module`, and `dataConverterModule` where there is one. */
  readonly bundleUrl: string;
  /** The module that was bundled: packages are found as from there. */
  readonly moduleUrl: string;
  readonly endpoint: string;
  readonly temporal: TemporalTarget;
}

/** Which Temporal the handlers talk to; what is undefined comes from the SDK's own environment configuration. */
export interface TemporalTarget {
  readonly address?: string;
  readonly namespace?: string;
  readonly taskQueue: string;
}

/** What the server says to an execution environment. */
export type ServerMessage =
  | { readonly kind: 'invoke'; readonly id: number; readonly invocation: NexusInvocation }
  /** The operation of this invocation was canceled. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** Answered with `pong` at once by an event loop that is not blocked. */
  | { readonly kind: 'ping' };

/** What an execution environment says to the server. */
export type EnvironmentMessage =
  | { readonly kind: 'loaded'; readonly services: readonly ServiceContract[] }
  | { readonly kind: 'load-failed'; readonly problem: string }
  | { readonly kind: 'answered'; readonly id: number; readonly result: LambdaHttpResult }
  | { readonly kind: 'threw'; readonly id: number; readonly problem: string }
  | { readonly kind: 'pong' }
  /** The environment is not to be used after the answers that are under way. */
  | { readonly kind: 'spent' };
