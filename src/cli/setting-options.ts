import { type Command, InvalidArgumentError, Option } from 'commander';
import { type EndpointSettings, SETTINGS } from '../router/settings.ts';

const NAMES = Object.keys(SETTINGS) as (keyof EndpointSettings)[];

/** `requests-per-second` of `requestsPerSecond`. */
function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** An option for each setting. */
export function withSettingOptions(command: Command): Command {
  for (const name of NAMES) {
    const { min, max, whole, unit } = SETTINGS[name];
    const range = `${unit}, from ${min} to ${max}`;
    const option = new Option(`--${flagOf(name)} <number>`, `${range} (default: unchanged)`);
    command.addOption(
      option.argParser((text) => parseSetting(text, `${whole ? 'a whole number' : 'a number'}: ${range}`)),
    );
  }
  return command;
}

/** Names of settings as their options have them, or as the code does; `all`. Those that were given before come first. */
export function parseUnset(text: string, before: readonly string[] = []): readonly string[] {
  const name = ['all', ...NAMES].find((one) => one === text || flagOf(one) === text);
  if (name === undefined) {
    throw new InvalidArgumentError(`Allowed choices are all, ${NAMES.map(flagOf).join(', ')}.`);
  }
  return [...before, name];
}

/** Ranges are the API's to check: it may know others. */
function parseSetting(text: string, takes: string): number {
  if (!/^\d{1,12}(?:\.\d{1,6})?$/.test(text)) throw new InvalidArgumentError(`Give ${takes}.`);
  return Number(text);
}
