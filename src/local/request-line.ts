import { styleText } from 'node:util';
import type { RequestSummary } from '../router/request-summary.ts';

type Colour = 'green' | 'cyan' | 'yellow' | 'red';

/**
 * One line for the terminal: endpoint, service/operation, outcome, milliseconds, and what a failure says. In colour
 * where `stream` is a terminal and NO_COLOR is not set.
 */
export function formatRequestLine(summary: RequestSummary, ms: number, stream: NodeJS.WritableStream): string {
  const { endpoint, operation, outcome, message } = summary;
  const parts = [
    ...(endpoint === undefined ? [] : [printable(endpoint)]),
    printable(operation),
    styleText(colourOf(outcome), printable(outcome), { stream }),
    `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`,
    ...(message === undefined ? [] : [styleText('dim', printable(message), { stream })]),
  ];
  return parts.join('  ');
}

function colourOf(outcome: string): Colour {
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
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
