import { lookup } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { beforeAbort } from '../nexus/before-abort.ts';
import { type AddressSeen, portOf } from './address-hop.ts';
import type { Target } from './target.ts';

/** Looks the host of a URL up, connects to it and, for `https:`, agrees on TLS. Never rejects. */
export async function connectTo(target: Target, signal: AbortSignal): Promise<AddressSeen> {
  const { hostname, protocol } = new URL(target.baseUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  const port = portOf(target);
  let step: 'dns' | 'tcp' | 'tls' = 'dns';
  let socket: Socket | undefined;
  try {
    const { address: ip } = await beforeAbort(signal, lookup(host));
    step = 'tcp';
    // By name, so that the addresses of the other family are tried too.
    socket = connectTcp({ host, port });
    await beforeAbort(signal, event(socket, 'connect'));
    if (protocol !== 'https:') return { step: 'connected', ip: socket.remoteAddress ?? ip, port, tls: undefined };
    step = 'tls';
    const secure = connectTls({ socket, servername: /^[\d.]+$|:/.test(host) ? '' : host, host });
    await beforeAbort(signal, event(secure, 'secureConnect'));
    return { step: 'connected', ip: socket.remoteAddress ?? ip, port, tls: secure.getProtocol() ?? 'TLS' };
  } catch (error) {
    return { step, ...codeAndMessage(error) };
  } finally {
    socket?.destroy();
  }
}

function event(socket: Socket, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(name, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })));
  });
}

/** Of an error of the network, or of a signal that fired. */
export function codeAndMessage(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error) };
  if (error.name === 'TimeoutError') return { code: 'ETIMEDOUT', message: 'no answer in time' };
  // Several addresses were tried, each with an error of its own.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { code = error.name, message } = first as NodeJS.ErrnoException;
  return { code: String(code), message };
}
