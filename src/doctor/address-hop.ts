import { type Finding, fail, ok } from './finding.ts';
import { shellWord } from './shell-word.ts';
import { shownUrl, type Target } from './target.ts';

/** What came of connecting to the host of the URL. */
export type AddressSeen =
  | { readonly step: 'connected'; readonly ip: string; readonly port: number; readonly tls: string | undefined }
  | { readonly step: 'dns' | 'tcp' | 'tls'; readonly code: string; readonly message: string };

/** Whether the host can be reached at all. */
export function addressFinding(seen: AddressSeen, target: Target): Finding {
  const { hostname } = new URL(target.baseUrl);
  const port = portOf(target);
  const at = `${hostname}:${port}`;
  switch (seen.step) {
    case 'connected':
      return ok('address', connected(hostname, seen));
    case 'dns':
      return fail('address', `the name ${hostname} has no address (${seen.code})`, {
        why: isAws(hostname)
          ? 'An API that was destroyed has no name any more; its id and region are in the host name. The outputs of the stack name the API that there is.'
          : 'The host name is misspelt, or it is known in another network only.',
        type: isAws(hostname)
          ? ["aws cloudformation describe-stacks --query 'Stacks[].Outputs[]' --output table"]
          : [`getent hosts ${hostname}`],
      });
    case 'tcp':
      return fail('address', `nothing takes connections at ${at} (${seen.code})`, tcpAdvice(seen.code, target));
    case 'tls':
      return fail('address', `no TLS with ${at}: ${seen.message}`, tlsAdvice(seen, target));
  }
}

function connected(hostname: string, { ip, port, tls }: Extract<AddressSeen, { step: 'connected' }>): string {
  const host = hostname === ip ? ip : `${hostname} (${ip})`;
  return `${host} takes connections on port ${port}${tls === undefined ? '' : `, with ${tls}`}`;
}

/** The URL's port, or that of its scheme. */
export function portOf({ baseUrl }: Target): number {
  const { port, protocol } = new URL(baseUrl);
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

function tcpAdvice(code: string, target: Target) {
  const { hostname } = new URL(target.baseUrl);
  if (code !== 'ECONNREFUSED') {
    return { why: 'A firewall drops the connection, or the address belongs to another network.' };
  }
  if (!isLoopback(hostname)) return { why: 'The host is there, and nothing listens on that port.' };
  return {
    why: 'Nothing listens on that port of this machine: the dev server is not running, or has another port. It says its own with "listening on".',
    type: [`npx nexus-lambda dev MODULE --endpoint ${target.endpoint} --port ${portOf(target)}`],
  };
}

function tlsAdvice({ code, message }: { readonly code: string; readonly message: string }, target: Target) {
  if (/wrong version number|packet length too long|record layer|EPROTO/i.test(`${code} ${message}`)) {
    const plain = { ...target, baseUrl: target.baseUrl.replace(/^https:/, 'http:') };
    return {
      why: 'The port does not speak TLS.',
      type: [`npx nexus-lambda doctor --url ${shellWord(shownUrl(plain, target.credentials?.user))}`],
    };
  }
  if (/self.signed|unable to (?:get|verify)|SELF_SIGNED|UNABLE_TO/i.test(`${code} ${message}`)) {
    return {
      why: 'The certificate is of an authority that this machine does not know. Temporal must know it as well.',
      type: ['NODE_EXTRA_CA_CERTS=ca.pem npx nexus-lambda doctor …'],
    };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      why: 'The certificate is for another name; the URL must have one that is in it. Temporal checks that as well.',
    };
  }
  if (code === 'CERT_HAS_EXPIRED') return { why: 'The certificate has expired; Temporal refuses it as well.' };
  return { why: 'The connection was made, and TLS was not.' };
}

function isAws(hostname: string): boolean {
  return /\.(?:amazonaws\.com|on\.aws)$/.test(hostname);
}

/** Whether a host is this machine itself. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
