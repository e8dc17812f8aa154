import type { CheckResult } from '../nexus/doctor-contract.ts';
import type { CallbackSeen, OperationSeen } from '../temporal/doctor-seen.ts';
import { isLoopback } from './address-hop.ts';
import { DEFAULT_HTTP_PORT, templateSettings } from './callback-settings.ts';
import { type Advice, type Finding, fail, ok, skip } from './finding.ts';
import type { TemporalServer } from './operation-hops.ts';

/** What is known once the workflow of the handler is complete. */
export interface WayBackSeen {
  /** The operation of the doctor's own workflow. */
  readonly operation: OperationSeen;
  /** The callback of the handler's workflow; undefined where it shows none. */
  readonly callback: CallbackSeen | undefined;
  readonly waitedMs: number;
  readonly caller: TemporalServer;
}

/** A failure of the network passes; one that comes again does not. */
const ATTEMPTS = 2;

/** Whether nothing more is to be learned by waiting. */
export function isWayBackSettled({ operation, callback }: Pick<WayBackSeen, 'operation' | 'callback'>): boolean {
  if (operation.state === 'completed' || operation.state === 'failed') return true;
  return callback?.state === 'failed' || callback?.state === 'blocked' || (callback?.attempts ?? 0) >= ATTEMPTS;
}

/** Whether the completion of the handler's workflow got back to the caller. */
export function wayBackFinding(seen: WayBackSeen): Finding {
  const { operation, callback, waitedMs, caller } = seen;
  if (operation.state === 'completed') {
    return ok('way-back', `the completion came back to ${shown(callback?.url) ?? caller.address}`);
  }
  if (operation.state === 'failed') {
    return fail('way-back', `the operation failed: ${operation.failure.message}`, {
      why: 'The workflow of the handler was completed, and something else came to the caller.',
    });
  }
  if (callback === undefined) {
    return fail('way-back', 'the workflow of the handler has no callback', {
      why: 'It was started without: a workflow of this id may have run already.',
    });
  }
  const url = shown(callback.url) ?? 'an address that it does not show';
  if (callback.state === 'delivered') {
    return fail('way-back', `${url} took the completion, and the caller never got it`, {
      why: 'Something else than the frontend of the calling server answers at the address of the callback template.',
      type: template(seen),
    });
  }
  const failure = callback.failure?.message.replace(/^Post "[^"]*": /, '');
  const says = failure ?? callback.blocked ?? `no answer for ${Math.round(waitedMs / 1000)} s`;
  return fail('way-back', `the completion does not get to ${url}: ${says}`, advice(says, callback.url, seen));
}

/** The workflow of the handler is not on the server that the doctor was given. */
export function relayElsewhere({ temporal }: CheckResult, { address }: TemporalServer): Finding {
  const other = temporal?.address ?? 'another address';
  return skip(
    'way-back',
    `the handler's workflows are not on ${address}, so that the doctor cannot complete the one it got started`,
    [
      `# its Temporal is ${other}, namespace "${temporal?.namespace}"; a doctor that is given that one completes it:`,
      `npx nexus-lambda doctor --temporal-address ${other} …`,
    ],
  );
}

function advice(says: string, callbackUrl: string, seen: WayBackSeen): Advice {
  const host = URL.canParse(callbackUrl) ? new URL(callbackUrl).hostname : '';
  const type = template(seen);
  if (/\b404\b|not found/i.test(says)) {
    return {
      why: 'What listens there has no such path, or knows no such operation: the callback template has another path than /namespaces/{{.NamespaceName}}/nexus/callback, or the address of another server.',
      type,
    };
  }
  if (/\b40[013]\b|bad request|unauthori[sz]ed|forbidden/i.test(says)) {
    return {
      why: "The calling server's frontend refuses it: a proxy or an authorizer in front of its HTTP port, or a template with a fixed namespace.",
      type,
    };
  }
  if (/circuit breaker/i.test(says)) {
    return { why: 'Completions to this address failed before; after a minute one is tried again.', type };
  }
  return {
    why:
      "The callback template of the calling server has an address at which the server of the handler's workflows does not reach it." +
      (isLoopback(host) ? ` ${host} is the machine of whoever connects to it.` : '') +
      ' It takes the host and the HTTP port of the frontend.',
    type,
  };
}

function template({ caller: { address, version } }: WayBackSeen): readonly string[] {
  const [host = ''] = address.split(/:\d+$/);
  return templateSettings({ version, host, httpPort: DEFAULT_HTTP_PORT });
}

/** Without what may be secret in it. */
function shown(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return url || undefined;
  const { origin, pathname, protocol } = new URL(url);
  return /^https?:$/.test(protocol) ? `${origin}${pathname}` : url;
}
