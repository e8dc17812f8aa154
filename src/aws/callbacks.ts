import type { CallbackPolicy } from '../operations/callback-rules.ts';
import type { Endpoint } from '../router/ports.ts';
import { ENV } from './contract.ts';

/** Where completions of an endpoint's operations may go. */
export function callbacksOf({ allowedCallbacks: allowed = [] }: Pick<Endpoint, 'allowedCallbacks'>): CallbackPolicy {
  return { allowed, loopback: process.env[ENV.loopbackCallbacks] === 'emulator' };
}
