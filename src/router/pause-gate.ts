import { pauseInEffect } from './effective-settings.ts';
import type { Gate } from './gate.ts';
import type { Clock } from './ports.ts';

/** A pause ends when somebody says so: asking again once a minute finds that out, at no cost to anybody. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Lets nothing through to an endpoint that somebody paused, cancels included: whoever pauses it may be about to take away
 * what its handler needs. Queued operations are accepted meanwhile, and wait. A cancel of one that was handed over is not
 * asked for: it was answered and recorded, comes from where there is no gate, and is tried again where the handler fails.
 */
export function createPauseGate({ clock }: { readonly clock: Clock }): Gate {
  return {
    async admit({ endpoint }) {
      const now = clock.now();
      const pause = pauseInEffect(endpoint, now);
      if (pause === undefined) return { kind: 'admitted', ended: async () => {} };
      const { reason, expiresAt } = pause;
      const until = expiresAt === undefined ? '' : ` until ${new Date(expiresAt).toISOString()}`;
      return {
        kind: 'refused',
        reason: 'paused',
        retryAfterMs: Math.min(expiresAt === undefined ? MAX_RETRY_AFTER_MS : expiresAt - now, MAX_RETRY_AFTER_MS),
        message: `endpoint "${endpoint.name}" is paused${until}: ${reason}`,
      };
    },
  };
}
