import { pauseRefusal } from './closed-endpoint.ts';
import type { Gate } from './gate.ts';
import type { Clock } from './ports.ts';

/**
 * Lets nothing through to an endpoint that somebody paused, cancels included: whoever pauses it may be about to take away
 * what its handler needs. Queued operations are accepted meanwhile, and wait. A cancel of one that was handed over is not
 * asked for: it was answered and recorded, comes from where there is no gate, and is tried again where the handler fails.
 */
export function createPauseGate({ clock }: { readonly clock: Clock }): Gate {
  return {
    async admit({ endpoint }) {
      return pauseRefusal(endpoint, clock.now()) ?? { kind: 'admitted', ended: async () => {} };
    },
  };
}
