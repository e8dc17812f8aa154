import { HOPS } from './finding.ts';
import type { TimedFinding } from './walk.ts';

const STATUS_WIDTH = 'skip'.length;
const HOP_WIDTH = Math.max(...HOPS.map((hop) => hop.length));
const MS_WIDTH = '10000 ms'.length;

/** One line of a walk, for a terminal. */
export function formatFinding({ status, hop, ms, says }: TimedFinding): string {
  const time = ms === undefined ? '' : `${Math.round(ms)} ms`;
  return `${status.padEnd(STATUS_WIDTH)}  ${hop.padEnd(HOP_WIDTH)}  ${time.padStart(MS_WIDTH)}  ${says}`;
}

/** What is to be done after a walk, for a terminal: about the first hop that failed, or the first that asks for more. */
export function formatAdvice(findings: readonly TimedFinding[]): string {
  const broken = findings.find(({ status }) => status === 'fail');
  const open = broken ?? findings.find(({ type }) => type !== undefined);
  if (open === undefined) return 'Every hop is well.';
  const head =
    broken === undefined ? `Nothing is broken; "${open.hop}" was not looked at.` : `The broken hop is "${open.hop}".`;
  return [
    [head, open.why].filter(Boolean).join(' '),
    ...(open.type === undefined ? [] : ['', 'Type:', ...open.type.map((line) => `  ${line}`)]),
  ].join('\n');
}

/** A whole walk as one JSON object. */
export function formatJson(url: string, findings: readonly TimedFinding[]): string {
  return JSON.stringify({ url, ok: isWell(findings), hops: findings }, undefined, 2);
}

/** Whether no hop failed. */
export function isWell(findings: readonly TimedFinding[]): boolean {
  return findings.every(({ status }) => status !== 'fail');
}
