import type { KillDecision, KillPoint, ProxiedCall } from './aws-proxy.ts';

/**
 * What a deploy calls of AWS for an operation that was accepted: its claim is written, how its attempt ended, and what came
 * of its completion; messages wake an attempt, and have a completion sent.
 */
export type Step = 'claim' | 'outcome' | 'result' | 'wake' | 'completion';

export interface Kill {
  readonly step: Step;
  readonly point: KillPoint;
}

/** Kills that are to hit operations, and those that did. */
export interface KillPlans {
  /** Of one operation: each is done once, at the first call that it is for. */
  plan(token: string, kills: readonly Kill[]): void;
  /** Those that were done. */
  done(token: string): readonly Kill[];
  /** To be given to the proxies between the functions and AWS. */
  readonly decide: KillDecision;
}

export function createKillPlans(): KillPlans {
  const planned = new Map<string, Kill[]>();
  const done = new Map<string, Kill[]>();
  return {
    plan: (token, kills) => void planned.set(token, [...kills]),
    done: (token) => done.get(token) ?? [],
    decide(call) {
      const [token = ''] = /[\w-]{43}\.[\w-]{22}/.exec(call.body) ?? [];
      const left = planned.get(token);
      const step = left && stepOf(call);
      const kill = left?.find((one) => one.step === step);
      if (left === undefined || kill === undefined) return undefined;
      left.splice(left.indexOf(kill), 1);
      done.set(token, [...(done.get(token) ?? []), kill]);
      return kill.point;
    },
  };
}

function stepOf({ name, body }: ProxiedCall): Step | undefined {
  const [, action] = name.split('.');
  const call = JSON.parse(body) as Call;
  if (action === 'SendMessage') return call.MessageBody?.includes('nexusCompletion') ? 'completion' : 'wake';
  if (action !== 'UpdateItem') return undefined;
  const values = call.ExpressionAttributeValues ?? {};
  const state = values[':state']?.S;
  if (state === 'claimed') return 'claim';
  if (state === 'ended') return 'outcome';
  return values[':completion'] && 'result';
}

/** What of a call says which step it is. */
interface Call {
  readonly MessageBody?: string;
  readonly ExpressionAttributeValues?: Readonly<Record<string, { readonly S?: string }>>;
}
