import { setTimeout } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { TemporalReach } from '../nexus/doctor-contract.ts';
import { readConnection } from './connect-config.ts';
import { type DoctorCall, type DoctorCaller, isUnknownEndpoint, startCaller } from './doctor-caller.ts';
import { type DoctorRelay, findRelay } from './doctor-relay.ts';
import { createSession } from './doctor-session.ts';
import { reachTemporal } from './reach.ts';

/** A Temporal server as `nexus-lambda doctor` uses it: by raw calls, since no worker runs what it starts. */
export interface DoctorTemporal {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;
  reach(signal: AbortSignal): Promise<TemporalReach>;
  /** All of them, with the URL of those that have an external target. */
  nexusEndpoints(signal: AbortSignal): Promise<{ readonly name: string; readonly url?: string }[]>;
  startCaller(call: DoctorCall, signal: AbortSignal): Promise<DoctorCaller>;
  findRelay(token: string, signal: AbortSignal): Promise<DoctorRelay | undefined>;
  close(): Promise<void>;
}

/** Most endpoints that one page of the list has: the server's own limit. */
const PAGE_SIZE = 1_000;

/** How often, and after how many milliseconds, an endpoint is called anew that the server does not know everywhere yet. */
const MOST_ATTEMPTS = 5;
const REGISTRY_MS = 1_000;

/** Connects when it is first asked; undefined where neither options nor environment name an address. */
export function openDoctorTemporal(
  options: { readonly address?: string; readonly namespace?: string },
  env: Readonly<Record<string, string | undefined>>,
): DoctorTemporal | undefined {
  const { namespace, connectionOptions } = readConnection(options, env);
  const { address } = connectionOptions;
  if (!address) return undefined;
  const connection = Connection.lazy(connectionOptions);
  const session = createSession(connection);
  return {
    address,
    namespace,
    reach: (signal) => reachTemporal({ namespace, connectionOptions: { ...connectionOptions, address } }, signal),
    async nexusEndpoints(signal) {
      const all: { readonly name: string; readonly url?: string }[] = [];
      let nextPageToken: Uint8Array | undefined;
      do {
        const request = { pageSize: PAGE_SIZE, ...(nextPageToken && { nextPageToken }) };
        const page = await session.ask(() => connection.operatorService.listNexusEndpoints(request), signal);
        for (const { spec } of page.endpoints) {
          const url = spec?.target?.external?.url;
          all.push({ name: spec?.name ?? '', ...(url && { url }) });
        }
        nextPageToken = page.nextPageToken;
      } while (nextPageToken.length > 0);
      return all;
    },
    async startCaller(call, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await startCaller(session, namespace, call, signal);
        } catch (error) {
          if (attempt === MOST_ATTEMPTS || !isUnknownEndpoint(error)) throw error;
          await setTimeout(REGISTRY_MS, undefined, { signal });
        }
      }
    },
    findRelay: (token, signal) => findRelay(session, token, signal),
    close: () => connection.close(),
  };
}
