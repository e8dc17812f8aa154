import { isLoopback } from './address-hop.ts';
import type { Deployment } from './deployment.ts';
import { endpointCommand } from './endpoint-command.ts';
import type { Advice } from './finding.ts';

interface FailedCall {
  readonly endpoint: string;
  readonly caller: { readonly address: string };
  readonly deployment: Deployment;
}

/** What to do where Temporal cannot call what the doctor just called itself. */
export function callAdvice(
  { message, type }: { readonly message: string; readonly type?: string },
  call: FailedCall,
): Advice {
  const { endpoint, deployment, caller } = call;
  const update = endpointCommand('update', endpoint, deployment, caller);
  const { hostname, host, origin } = new URL(deployment.target.baseUrl);
  if (/not among the callers/.test(message)) {
    return {
      why: 'The user in the target URL of the Nexus endpoint is known, and is not on the list of the endpoint.',
      type: [`# add it to the callers of the endpoint: callers: [NexusCaller.basic(USER), …]`, 'npx cdk deploy'],
    };
  }
  if (type === 'UNAUTHENTICATED' || type === 'UNAUTHORIZED') {
    return {
      why: 'The user information in the target URL of the Nexus endpoint is missing or wrong. Temporal sends that, and ends an operation that is refused.',
      type: update,
    };
  }
  if (type === 'BAD_REQUEST' && /the method is "GET"/.test(message)) {
    return { why: 'The target URL is redirected, and Temporal follows a redirect with a GET.', type: update };
  }
  if (type === 'NOT_FOUND') {
    return {
      why: "The server's own way to the URL ends at something else: another DNS, a proxy.",
      type: [`getent hosts ${hostname}`],
    };
  }
  if (
    /connection refused|no such host|i\/o timeout|deadline exceeded|no route to host|network is unreachable/i.test(
      message,
    )
  ) {
    return {
      why: isLoopback(hostname)
        ? `${host} is the machine of whoever calls it: of a Temporal server in a container, that is the container.`
        : `The network of the Temporal server has no way to ${host}, though this machine has.`,
      type: isLoopback(hostname)
        ? ['# run the container with the network of its host: docker run --network host …', ...update]
        : ['# on a machine of the Temporal server:', `curl -sS -o /dev/null -w '%{http_code}\\n' ${origin}/`],
    };
  }
  if (/x509|certificate/i.test(message)) {
    return {
      why: 'The machine of the Temporal server does not know the authority of the certificate.',
      type: ['SSL_CERT_FILE=ca.pem   # in the environment of the Temporal server'],
    };
  }
  if (/server gave HTTP response to HTTPS client|malformed HTTP response/i.test(message)) {
    return { why: 'The scheme of the target URL is not that of the port.', type: update };
  }
  return {
    why: 'The doctor itself was answered a moment ago: it is not the same from the network of the Temporal server, or it has broken since.',
  };
}
