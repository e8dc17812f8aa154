/** A Content-Type taken apart. */
export interface MediaType {
  /** Lower case. */
  readonly type: string;
  /** By name, lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TYPE = /^\s*([\w!#$&^.+-]+\/[\w!#$&^.+-]+)\s*/;
const PARAMETER = /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([\w!#$%&'*+.^`|~-]+))\s*/sy;

/** Takes a Content-Type apart; `undefined` where it is malformed or names a parameter twice, as Go reads it. */
export function parseMediaType(value: string): MediaType | undefined {
  const head = TYPE.exec(value);
  if (head === null) return undefined;
  const parameters = new Map<string, string>();
  let at = head[0].length;
  while (at < value.length && !/^;\s*$/.test(value.slice(at))) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(value);
    if (match === null) return undefined;
    const name = (match[1] as string).toLowerCase();
    if (parameters.has(name)) return undefined;
    parameters.set(name, match[2]?.replace(/\\(.)/gs, '$1') ?? match[3] ?? '');
    at = PARAMETER.lastIndex;
  }
  return { type: (head[1] as string).toLowerCase(), parameters };
}

/** Whether a Content-Type is JSON, with any parameters. */
export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && parseMediaType(contentType)?.type === 'application/json';
}
