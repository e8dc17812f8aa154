import type { Logger } from '../handler/logger.ts';
import type { EmitFlowEvent, FlowEvent } from '../router/flow-event.ts';
import { createFlowLines, type FlowLine } from '../router/flow-lines.ts';
import type { Clock } from '../router/ports.ts';

/** Events of flow control as metrics and log lines. */
export interface FlowMetrics {
  readonly emit: EmitFlowEvent;
  /**
   * Writes the metrics of what was emitted; waits `withinMs` at most for the code that does. To be called before the
   * environment may be frozen. What is not written by then is with the next call.
   */
  settle(withinMs?: number): Promise<void>;
}

export interface FlowMetricsDeps {
  /** Name of the gateway's table of endpoints: what tells two gateways of one account apart. */
  readonly gateway: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Takes a line in CloudWatch's embedded metric format. Default: the standard output, past what formats log lines. */
  readonly write?: (line: string) => void;
  /** Default: loads it. */
  readonly load?: () => Promise<Pick<typeof import('./flow-emf.ts'), 'formatFlowMetrics'>>;
}

/** Ten times what loading takes in a new environment. */
const SETTLE_MS = 500;

/** Makes them. Metrics are loaded with the first event: healthy traffic has none. */
export function createFlowMetrics(deps: FlowMetricsDeps): FlowMetrics {
  const { gateway, logger, clock, load = () => import('./flow-emf.ts') } = deps;
  const write = deps.write ?? ((line) => void process.stdout.write(`${line}\n`));
  const say = createFlowLines(clock, (line) => sayOf(line, logger));
  let loading: ReturnType<typeof load> | undefined;
  let pending: FlowEvent[] = [];

  return {
    emit(event) {
      say(event);
      pending.push(event);
      loading ??= load();
      // Whoever settles hears of it.
      loading.catch(() => {});
    },
    async settle(withinMs = SETTLE_MS) {
      if (pending.length === 0 || loading === undefined) return;
      const loaded = await within(loading, Math.min(withinMs, SETTLE_MS)).catch((error: unknown) => {
        logger.error('metrics of flow control could not be loaded', { error });
        loading = undefined;
        pending = [];
        return undefined;
      });
      if (loaded === undefined) return;
      const events = pending;
      pending = [];
      for (const line of loaded.formatFlowMetrics(gateway, events)) write(line);
    },
  };
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const { promise: timeIsOver, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, Math.max(0, ms), undefined);
  try {
    return await Promise.race([promise, timeIsOver]);
  } finally {
    clearTimeout(timer);
  }
}

function sayOf({ event, unsaid }: FlowLine, logger: Logger): unknown {
  const { endpoint } = event;
  switch (event.kind) {
    case 'circuit-changed': {
      const { from, to, why, by } = event;
      const meta = { endpoint, from, to, why, ...(by !== undefined && { by }) };
      return logger[to === 'open' ? 'warn' : 'info'](`the circuit is ${to}`, meta);
    }
    case 'refused': {
      const { reason, principal } = event;
      return logger.warn('a request was refused', { endpoint, reason, principal, unsaid });
    }
    case 'absorbed': {
      const { reason, principal } = event;
      return logger.warn('a request was queued instead of refused', { endpoint, reason, principal, unsaid });
    }
    case 'deferred': {
      const { reason, principal } = event;
      return logger.warn('a queued attempt was not let through, and waits', { endpoint, reason, principal, unsaid });
    }
    case 'promoted': {
      const { principal } = event;
      return logger.info('a request was answered with a token at its deadline', { endpoint, principal, unsaid });
    }
    default:
      return event satisfies never;
  }
}
