import { parseToken } from '../operations/operation-token.ts';

/**
 * The same arguments, with tokens that begin with a hyphen behind `--`, where they are no options. One token of 64 does, and
 * whoever passes on what `operation list` shows cannot know.
 */
export function tokensLast(argv: readonly string[]): readonly string[] {
  const isMistaken = (one: string) => one.startsWith('-') && parseToken(one) !== undefined;
  const tokens = argv.filter(isMistaken);
  if (tokens.length === 0 || argv.includes('--')) return argv;
  return [...argv.filter((one) => !isMistaken(one)), '--', ...tokens];
}
