import type { OverrideMark } from './override.ts';
import type { Endpoint } from './ports.ts';

/** What whoever changes settings of these names should know. */
export function notesOnSettings({ queues, settings = {} }: Endpoint, names: readonly string[]): string[] {
  const notes: string[] = [];
  if (names.includes('concurrency') && queues !== undefined) {
    const declared = settings.concurrency === undefined ? 'without a limit' : `${settings.concurrency} at a time`;
    notes.push(
      `concurrency holds for direct calls; queued operations go on ${declared}, as the event source mapping of their queue ` +
        'was deployed: to change that, declare it and deploy',
    );
  }
  if (names.some((name) => /^(?:retry|poison)/.test(name))) {
    notes.push('what concerns retries holds for operations that are accepted from now on');
  }
  return notes;
}

/** What whoever pauses an endpoint should know: of a pause that holds already, its end and its reason are gone. */
export function notesOnPause(before: OverrideMark | undefined): string[] {
  if (before === undefined) return [];
  const { author, reason, at, expiresAt } = before;
  const end = expiresAt === undefined ? 'until it is resumed' : `until ${new Date(expiresAt).toISOString()}`;
  return [
    `this takes the place of the pause by ${author} since ${new Date(at).toISOString()}, ${end}: ${reason}; ` +
      'one resume ends it for both',
  ];
}
