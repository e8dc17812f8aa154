import { HandlerError } from 'nexus-rpc';
import type { NexusInvocation } from '../handler/invocation.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import type { Caller } from './caller.ts';
import { deliveryResultOf } from './delivery-result.ts';
import type { DeliveryTimes } from './delivery-times.ts';
import type { Absorption, DurableDelivery } from './durable-delivery.ts';
import { InvokeError } from './errors.ts';
import { invokeFailure, refusal, THROTTLE_MS } from './failure-response.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import type { DeliveryResult, Gate, HeldSlot } from './gate.ts';
import { toHttpResponse } from './lambda-result.ts';
import { parseBelow } from './parse-below.ts';
import type { Endpoint, Invoker } from './ports.ts';
import type { Promotion } from './promotion.ts';

export interface DirectDeliveryDeps {
  readonly invoker: Invoker;
  /** What lets requests through. Left out, all are. */
  readonly gate?: Gate;
  /** Left out where nothing can be kept for later. */
  readonly durable?: Pick<DurableDelivery, 'absorb'>;
  /** Left out where no operation is answered with a token for want of time. */
  readonly promotion?: Promotion;
  readonly emit?: EmitFlowEvent;
}

/** A request on its way to its endpoint's handler. */
export interface Delivery {
  readonly endpoint: Endpoint;
  readonly caller: Caller;
  /** Its path is below the endpoint's base URL, its headers are without credentials. */
  readonly request: NexusHttpRequest;
  /** What the handler is invoked with, that has so many milliseconds. */
  readonly invocationOf: (handlerMs: number) => NexusInvocation;
  /** What is left of the caller's time: a gate may have taken some. */
  readonly times: () => DeliveryTimes;
}

/**
 * Hands a request to its handler now, where the gates let it through, and passes the answer on.
 *
 * What a limit, an open circuit, a pause or a throttle keeps from the handler is accepted for later where the caller can
 * take an asynchronous answer, and refused with a `Retry-After` where it cannot. A handler's own retryable failure goes back
 * to the caller, but for operations that are listed in `absorbFailures`.
 */
export type DirectDelivery = (delivery: Delivery) => Promise<NexusHttpResponse>;

export function createDirectDelivery({ invoker, gate, durable, promotion, emit }: DirectDeliveryDeps): DirectDelivery {
  /** What was refused, or failed, accepted for later; `undefined` where that cannot be, for whatever reason. */
  async function absorbed(
    { endpoint, request, caller }: Delivery,
    absorption: Absorption,
  ): Promise<NexusHttpResponse | undefined> {
    if (durable === undefined) return undefined;
    try {
      const response = await durable.absorb(endpoint, request, caller, absorption);
      const { name } = endpoint;
      const { principal } = caller;
      if (response) emit?.({ kind: 'absorbed', endpoint: name, principal, reason: absorption.reason });
      return response;
    } catch (error) {
      // The store cannot be reached, or has no room for it: the caller is told what it would be without one.
      if (error instanceof HandlerError) return undefined;
      throw error;
    }
  }

  async function invoke(delivery: Delivery, slot: HeldSlot | undefined): Promise<Delivered> {
    const { endpoint, invocationOf, times } = delivery;
    const { handlerMs, waitMs } = times();
    const invocation = invocationOf(handlerMs);
    try {
      const inTime = await promotion?.deliver(endpoint, { ...delivery, invocation, waitMs, ...(slot && { slot }) });
      const response = inTime?.response ?? toHttpResponse(await invoker.invoke(endpoint, invocation, waitMs));
      if (inTime?.handler === 'goes on') return { response, result: { kind: 'unjudged' } };
      if (inTime?.handler === 'not asked') return { response, result: { kind: 'not-reached' } };
      return { response, result: deliveryResultOf(response, waitMs) };
    } catch (error) {
      if (error instanceof InvokeError) return { error, result: deliveryResultOf(error, waitMs) };
      throw error;
    }
  }

  return async (delivery) => {
    const { endpoint, caller, request } = delivery;
    const { principal } = caller;
    const kind = isCancel(endpoint, request, caller) ? 'cancel' : 'start';
    const admission = await gate?.admit({ endpoint, principal, kind });
    if (admission?.kind === 'refused') {
      const { reason, retryAfterMs: delayMs } = admission;
      const later = await absorbed(delivery, { reason, delayMs });
      if (later === undefined) emit?.({ kind: 'refused', endpoint: endpoint.name, reason, principal });
      return later ?? refusal(admission, request);
    }
    let result: DeliveryResult = { kind: 'unjudged' };
    try {
      const delivered = await invoke(delivery, admission?.slot);
      result = delivered.result;
      return (await instead(delivery, delivered)) ?? delivered.response ?? invokeFailure(delivered.error, request);
    } finally {
      await admission?.ended(result);
    }
  };

  /** What the caller is told instead of a failure that is kept from it. */
  async function instead(delivery: Delivery, { error, result }: Delivered): Promise<NexusHttpResponse | undefined> {
    const { endpoint, caller } = delivery;
    if (error?.reason === 'throttled') {
      const later = await absorbed(delivery, { reason: 'throttled', delayMs: THROTTLE_MS });
      const { principal } = caller;
      if (later === undefined) emit?.({ kind: 'refused', endpoint: endpoint.name, reason: 'throttled', principal });
      return later;
    }
    if (result.kind !== 'failed' || !endpoint.absorbFailures?.length) return undefined;
    return absorbed(delivery, { reason: 'failure', message: result.message });
  }
}

/** An operation may be named `cancel`, too. */
function isCancel(endpoint: Endpoint, request: NexusHttpRequest, caller: Caller): boolean {
  return request.path.endsWith('/cancel') && parseBelow(endpoint, request, caller)?.kind === 'cancel';
}

type Delivered = { readonly result: DeliveryResult } & (
  | { readonly response: NexusHttpResponse; readonly error?: undefined }
  | { readonly response?: undefined; readonly error: InvokeError }
);
