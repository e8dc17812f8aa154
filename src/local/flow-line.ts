import type { EmitFlowEvent, RefusalReason } from '../router/flow-event.ts';
import { createFlowLines, type FlowLine } from '../router/flow-lines.ts';
import type { Clock } from '../router/ports.ts';
import { formatLine, type Line } from './request-line.ts';

/** Says on the terminal what flow control does: each change of a circuit, and of what happens to requests one a second. */
export function terminalFlow(stream: NodeJS.WritableStream, clock: Clock): EmitFlowEvent {
  return createFlowLines(clock, (line) => void stream.write(`${formatFlowLine(line, stream)}\n`));
}

/** One line for the terminal, about what flow control did. */
export function formatFlowLine({ event, unsaid }: FlowLine, stream: NodeJS.WritableStream): string {
  const since = unsaid > 0 ? { message: `and ${unsaid} more since the last line of this` } : {};
  const { endpoint } = event;
  switch (event.kind) {
    case 'circuit-changed': {
      const { from, to, why, by } = event;
      const message = by === undefined ? why : `${why} (by ${by})`;
      return formatLine({ endpoint, outcome: `circuit ${from} → ${to}`, colour: COLOUR[to], message }, stream);
    }
    case 'refused':
      return formatLine({ endpoint, outcome: `refused: ${IN_WORDS[event.reason]}`, colour: 'red', ...since }, stream);
    case 'absorbed': {
      const why = event.reason === 'failure' ? 'the handler failed' : IN_WORDS[event.reason];
      return formatLine({ endpoint, outcome: `queued instead: ${why}`, colour: 'yellow', ...since }, stream);
    }
    case 'deferred': {
      const outcome = `queued attempt waits: ${IN_WORDS[event.reason]}`;
      return formatLine({ endpoint, outcome, colour: 'yellow', ...since }, stream);
    }
    case 'promoted':
      return formatLine(
        { endpoint, outcome: 'answered with a token at its deadline', colour: 'cyan', ...since },
        stream,
      );
    default:
      return event satisfies never;
  }
}

const COLOUR: Readonly<Record<'open' | 'probing' | 'closed', Line['colour']>> = {
  open: 'red',
  probing: 'yellow',
  closed: 'green',
};

const IN_WORDS: Readonly<Record<RefusalReason, string>> = {
  rate: 'more starts a second than its limit',
  concurrency: 'as many operations run as its limit',
  circuit: 'its circuit is open',
  paused: 'it is paused',
  throttled: 'its handler has no capacity left',
};
