import type { Gateway } from '../handler/invocation.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { formatStartResponse } from '../nexus/response.ts';
import type { Told } from '../operations/promotion.ts';
import { formatOutcome } from './format-outcome.ts';

/** What the caller of a start is told of its operation. */
export function formatTold(
  told: Told,
  request: Pick<NexusHttpRequest, 'headers'>,
  gateway: Gateway | undefined,
): NexusHttpResponse {
  if (told.kind === 'outcome') return formatOutcome(told.outcome, request, gateway);
  return formatStartResponse({ kind: 'async', token: told.token, links: [] });
}
