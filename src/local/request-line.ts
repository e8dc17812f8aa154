import { styleText } from 'node:util';
import type { RequestSummary } from '../router/request-summary.ts';

/** What a line says, and how good that is. */
export interface Line {
  readonly endpoint?: string | undefined;
  /** Left out where the line is about all of an endpoint. */
  readonly operation?: string;
  readonly outcome: string;
  readonly colour: 'green' | 'cyan' | 'yellow' | 'red';
  /** Left out where nothing took time. */
  readonly ms?: number;
  /** What a failure says. */
  readonly message?: string | undefined;
}

/** One line for the terminal, about a request that was answered. */
export function formatRequestLine(summary: RequestSummary, ms: number, stream: NodeJS.WritableStream): string {
  return formatLine({ ...summary, colour: colourOf(summary.outcome), ms }, stream);
}

/**
 * One line for the terminal: endpoint, service/operation, outcome, milliseconds, and what a failure says. In colour
 * where `stream` is a terminal and NO_COLOR is not set.
 */
export function formatLine(
  { endpoint, operation, outcome, colour, ms, message }: Line,
  stream: NodeJS.WritableStream,
): string {
  const parts = [
    ...(endpoint === undefined ? [] : [printable(endpoint)]),
    ...(operation === undefined ? [] : [printable(operation)]),
    styleText(colour, printable(outcome), { stream }),
    ...(ms === undefined ? [] : [`${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`]),
    ...(message === undefined ? [] : [styleText('dim', printable(message), { stream })]),
  ];
  return parts.join('  ');
}

function colourOf(outcome: string): Line['colour'] {
  switch (outcome) {
    case 'succeeded':
      return 'green';
    case 'started':
    case 'cancel accepted':
      return 'cyan';
    case 'failed':
    case 'canceled':
      return 'yellow';
    default:
      return 'red';
  }
}

/** Names and messages come from the caller: they must neither make a second line nor steer the terminal. */
export function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
