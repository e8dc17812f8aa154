import { HEADER } from './headers.ts';
import type { Headers } from './message.ts';

/**
 * Whether a Temporal server sent this request: `temporalio/server` (1.30 and later), `Nexus-go-sdk/…` (before), or a
 * start that carries Temporal's callback token under whatever name. A claim, and good for choosing a format only.
 */
export function isTemporalCaller(headers: Headers): boolean {
  return (
    /^(?:temporalio\/server|nexus-go-sdk\/)/i.test(headers[HEADER.userAgent] ?? '') ||
    Object.hasOwn(headers, 'nexus-callback-temporal-callback-token')
  );
}
