import type { Gateway } from '../handler/invocation.ts';
import { HTTP_API_TIMEOUT_MS } from '../handler/lambda-event.ts';

/** Longest time that a handler gets for one request: what the gateway in front of it waits at most. */
export const MAX_TIMEOUT_MS = HTTP_API_TIMEOUT_MS;

/** Who calls, as whoever stands in front of the router authenticated them. */
export interface Caller {
  /** `iam:<role ARN>`, `basic:<user>`, `jwt:<sub>`, `local`. */
  readonly principal: string;
  /** The front door through which the request came; none in the dev server. */
  readonly gateway?: Gateway;
  /** Milliseconds that the front door still waits. Default: 30 s, as an HTTP API does. */
  readonly gatewayMs?: number;
}
