/** What a run used of what AWS charges for. */
export interface Usage {
  /** Requests that went through the HTTP API. */
  readonly requests: number;
  /** Invocations of functions: a request is two, and a third where the authorizer was asked. */
  readonly invocations: number;
  /** Sum of the milliseconds of all of them, as the callers saw them: an upper bound. */
  readonly milliseconds: number;
  /** How long the stack stood. */
  readonly minutes: number;
}

/** List prices in USD, us-east-1, of November 2026. No free tier is taken off. */
const PRICE = {
  httpApiRequest: 1 / 1e6,
  invocation: 0.2 / 1e6,
  /** arm64; the functions have 1 GB at most. */
  gigabyteSecond: 0.0000133334,
  tableRead: 0.125 / 1e6,
  secretMonth: 0.4,
  alarmMonth: 0.1,
  logGigabyte: 0.5,
} as const;

const MINUTES_OF_MONTH = 30 * 24 * 60;
const ALARMS = 3;
/** Kilobytes that one invocation writes to its log, with Lambda's own lines. */
const LOG_KB = 1;

/** What it cost, line by line, in USD. */
export function costOf({ requests, invocations, milliseconds, minutes }: Usage): ReadonlyMap<string, number> {
  const month = minutes / MINUTES_OF_MONTH;
  return new Map([
    ['HTTP API requests', requests * PRICE.httpApiRequest],
    ['Lambda requests', invocations * PRICE.invocation],
    ['Lambda time', (milliseconds / 1000) * PRICE.gigabyteSecond],
    ['DynamoDB reads', requests * PRICE.tableRead],
    ['secret', month * PRICE.secretMonth],
    ['alarms', month * ALARMS * PRICE.alarmMonth],
    ['logs', ((invocations * LOG_KB) / 1e6) * PRICE.logGigabyte],
  ]);
}
