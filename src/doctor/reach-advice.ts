import type { TemporalProblem, TemporalReach } from '../nexus/doctor-contract.ts';
import { isLoopback } from './address-hop.ts';
import { DEPLOY } from './deployment.ts';
import type { Advice } from './finding.ts';
import { GRPC } from './grpc-status.ts';
import type { ReachSide } from './reach-side.ts';
import { shellWord } from './shell-word.ts';

export const CREDENTIALS_ADVICE: Advice = {
  why:
    'The handler fetches what Temporal lets it in by before it connects, and that failed; its log says why. With temporalSecret() ' +
    'of nexus-lambda/aws: the variable NEXUS_TEMPORAL_SECRET_ARN, the permission to read that secret, and the JSON in it.',
  type: ['aws secretsmanager describe-secret --secret-id TEMPORAL_SECRET_ARN', DEPLOY],
};

/** What to do about a Temporal server that one side cannot use. */
export function reachAdvice(problem: TemporalProblem, reach: TemporalReach, side: ReachSide): Advice {
  const { step, code, message } = problem;
  const { address, namespace, tls, authentication } = reach;
  if (step === 'credentials') return CREDENTIALS_ADVICE;
  if (/wrong version number|packet length too long/i.test(message)) {
    return {
      why: `${side.who} connects with TLS, and the server has none.`,
      type: side.set({ TEMPORAL_TLS: 'false' }),
    };
  }
  if (/self.signed|unable to (?:get|verify)|ALTNAME|certificate/i.test(message)) {
    return {
      why: "The server's certificate is of an authority that is not known there, or for another name.",
      type: side.set({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: 'ca.pem', TEMPORAL_TLS_SERVER_NAME: 'NAME' }),
    };
  }
  switch (code) {
    case GRPC.notFound:
      return {
        why: `The server is reached, and has no namespace "${namespace}".`,
        type: [
          `temporal operator namespace create --namespace ${shellWord(namespace)} --address ${address}`,
          '# or, where it has another name:',
          ...side.set({ TEMPORAL_NAMESPACE: 'NAMESPACE' }),
        ],
      };
    case GRPC.unauthenticated:
    case GRPC.permissionDenied:
      return {
        why:
          authentication === 'none'
            ? `The server asks for credentials, and ${side.who} has none.`
            : `The server does not take the ${authentication === 'api-key' ? 'API key' : 'client certificate'}, or it may not use namespace "${namespace}".`,
        type: side.set({ TEMPORAL_API_KEY: 'KEY' }),
      };
    case GRPC.unimplemented:
      return { why: 'What answers there is no Temporal frontend.', type: side.set({ TEMPORAL_ADDRESS: 'HOST:7233' }) };
    case GRPC.deadlineExceeded:
      return {
        why: `Nothing comes back: the network of ${side.who} has no way to ${address}. Of a function in a VPC: its security group must let it out, that of the server must let it in, and a public address takes a NAT.`,
        type: networkCommands(side, address),
      };
    default:
      return ofConnection(message, { address, tls, side });
  }
}

function ofConnection(
  message: string,
  { address, tls, side }: { readonly address: string; readonly tls: boolean; readonly side: ReachSide },
): Advice {
  const set = side.set({ TEMPORAL_ADDRESS: 'HOST:7233' });
  if (/Name resolution failed|ENOTFOUND|EAI_AGAIN/.test(message)) {
    return { why: `The name in ${address} has no address in the network of ${side.who}.`, type: set };
  }
  if (/ECONNREFUSED/.test(message)) {
    const loopback = isLoopback(address.replace(/:\d+$/, '')) && !side.isHere;
    return {
      why: loopback
        ? `Nothing listens at ${address}, which is ${side.who}'s own machine.`
        : `The host is there, and nothing listens at ${address}: the server is down, or has another port.`,
      type: [...set, '# to start a server on this machine:', 'temporal server start-dev'],
    };
  }
  if (!tls && /Failed to connect|ECONNRESET|socket hang up|dropped/i.test(message)) {
    return {
      why: `The server closes the connection: it may want TLS, and ${side.who} connects without.`,
      type: side.set({ TEMPORAL_TLS: 'true' }),
    };
  }
  if (/Protocol error/i.test(message)) {
    return {
      why: `${address} speaks HTTP/1: it may be the HTTP port of the server (7243), and gRPC has another (7233).`,
      type: set,
    };
  }
  return { why: `The connection to ${address} was not made, or was lost.`, type: set };
}

function networkCommands(side: ReachSide, address: string): readonly string[] {
  const [host = '', port = ''] = address.split(/:(?=\d+$)/);
  return [
    ...(side.functionName === undefined
      ? [`nc -vz ${host} ${port}`]
      : [`aws lambda get-function-configuration --function-name ${side.functionName} --query VpcConfig`]),
    ...side.set({ TEMPORAL_ADDRESS: 'HOST:7233' }),
  ];
}
