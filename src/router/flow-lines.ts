import type { EmitFlowEvent, FlowEvent } from './flow-event.ts';
import type { Clock } from './ports.ts';

/** An event of flow control that a log says in a line of its own. */
export interface FlowLine {
  readonly event: Exclude<FlowEvent, { readonly kind: 'headroom' }>;
  /** Events like this one since the last line about them, which are said nowhere else. */
  readonly unsaid: number;
}

/** Of events that come with each request, one line in so much time: under load they would be the load. */
const QUIET_MS = 1_000;

/**
 * Chooses what a log says: each change of a circuit; of what happens to requests the first in a while, and at most one a
 * second for each endpoint and reason. What a limit has left is for metrics only.
 */
export function createFlowLines(clock: Clock, say: (line: FlowLine) => void): EmitFlowEvent {
  /** By what is alike. Endpoints and reasons are few, and come from no caller. */
  const said = new Map<string, { at: number; unsaid: number }>();
  return (event) => {
    if (event.kind === 'headroom') return;
    if (event.kind === 'circuit-changed') return say({ event, unsaid: 0 });
    const key = `${event.endpoint} ${event.kind} ${event.kind === 'promoted' ? '' : event.reason}`;
    const now = clock.now();
    const last = said.get(key);
    // A clock that was set back must not silence anything.
    if (last !== undefined && now >= last.at && now - last.at < QUIET_MS) {
      last.unsaid++;
      return;
    }
    said.set(key, { at: now, unsaid: 0 });
    say({ event, unsaid: last?.unsaid ?? 0 });
  };
}
