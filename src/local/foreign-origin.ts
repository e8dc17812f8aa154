import type { Headers } from '../nexus/message.ts';

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/;

/**
 * The web page's origin where a browser sends a request from a page that is not on this machine. Anybody may make a
 * page whose script calls 127.0.0.1; browsers say so with every POST, and no other client sends `Origin`.
 */
export function foreignOrigin(headers: Headers): string | undefined {
  const { origin } = headers;
  if (origin === undefined) return undefined;
  return URL.canParse(origin) && LOOPBACK.test(new URL(origin).hostname) ? undefined : origin;
}

/**
 * The host that a request is for, where that is a name of elsewhere: a page may have its own name resolve to 127.0.0.1,
 * and then reads what this machine answers. Of a GET, browsers send no `Origin` then.
 */
export function foreignHost({ host }: Headers): string | undefined {
  if (host === undefined) return undefined;
  return LOOPBACK.test(host.replace(/:\d+$/, '')) ? undefined : host;
}
