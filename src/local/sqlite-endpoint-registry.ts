import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { ServiceContract } from '../nexus/message.ts';
import type { StoredCircuit } from '../router/circuit.ts';
import { checkOverride, fullVersion } from '../router/endpoint-override.ts';
import { checkEndpointSpec } from '../router/endpoint-spec.ts';
import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from '../router/errors.ts';
import type { EndpointOverride } from '../router/override.ts';
import type { Clock, Endpoint, EndpointRegistry, EndpointSpec } from '../router/ports.ts';

type Row = Record<string, SQLOutputValue>;

/** Keeps endpoints in the embedded store. What a call acknowledged is on disk. */
export function createSqliteEndpointRegistry(db: DatabaseSync, clock: Clock): EndpointRegistry {
  const select = db.prepare('SELECT * FROM endpoint WHERE name = ?');
  const selectAll = db.prepare('SELECT * FROM endpoint ORDER BY name');
  const insert = db.prepare(
    `INSERT INTO endpoint (name, description, namespace, task_queue, services, more, version, created_at, last_modified_at)
     VALUES ($name, $description, $namespace, $taskQueue, $services, $more, 1, $now, $now)
     ON CONFLICT DO NOTHING RETURNING *`,
  );
  const replace = db.prepare(
    `UPDATE endpoint SET description = $description, namespace = $namespace, task_queue = $taskQueue,
       services = $services, more = $more, version = version + 1, last_modified_at = $now
     WHERE name = $name AND version = $version RETURNING *`,
  );
  const remove = db.prepare('DELETE FROM endpoint WHERE name = ? AND version = ?');
  const override = db.prepare(
    `UPDATE endpoint SET override = $next
     WHERE name = $name AND version = $version AND ifnull(override ->> 'version', 0) = $overrideVersion RETURNING *`,
  );

  function whyUnchanged(name: string, version: number, versionOf = (stored: Endpoint) => stored.version): Error {
    const row = select.get(name);
    return row === undefined
      ? new EndpointNotFoundError(name)
      : new EndpointVersionError(name, version, versionOf(toEndpoint(row)));
  }

  return {
    async get(name) {
      const row = select.get(name);
      return row && withCircuit(row);
    },
    async list() {
      return selectAll.all().map(withCircuit);
    },
    async create(spec) {
      checkEndpointSpec(spec);
      const row = insert.get({ ...toColumns(spec), now: clock.now() });
      if (row === undefined) throw new EndpointExistsError(spec.name);
      return toEndpoint(row);
    },
    async update(spec, version) {
      checkEndpointSpec(spec);
      const row = replace.get({ ...toColumns(spec), now: clock.now(), version });
      if (row === undefined) throw whyUnchanged(spec.name, version);
      return toEndpoint(row);
    },
    async delete(name, version) {
      if (remove.run(name, version).changes === 0) throw whyUnchanged(name, version);
    },
    async override(read, next) {
      checkOverride(read, next, clock.now());
      const { name, version } = read;
      const overrideVersion = read.override?.version ?? 0;
      const stored: EndpointOverride = { ...next, version: overrideVersion + 1 };
      const row = override.get({ name, version, overrideVersion, next: JSON.stringify(stored) });
      if (row === undefined) throw whyUnchanged(name, fullVersion(read), fullVersion);
      return toEndpoint(row);
    },
  };
}

function toColumns({ name, description, target, services, ...others }: EndpointSpec) {
  const { previousServices, callers, functionArn, owner, settings, ...delivery } = others;
  const { queued, queues, promotable, absorbFailures, allowedCallbacks, deduplicate } = delivery;
  return {
    name,
    description: description ?? null,
    namespace: target.namespace,
    taskQueue: target.taskQueue,
    services: JSON.stringify(services),
    more: JSON.stringify({
      previousServices,
      callers,
      functionArn,
      owner,
      settings,
      queued,
      queues,
      promotable,
      absorbFailures,
      allowedCallbacks,
      deduplicate,
    }),
  };
}

function withCircuit(row: Row): Endpoint {
  const { circuit } = row;
  return { ...toEndpoint(row), ...(circuit !== null && { circuit: JSON.parse(String(circuit)) as StoredCircuit }) };
}

function toEndpoint(row: Row): Endpoint {
  const { description, override } = row;
  return {
    name: String(row.name),
    ...(description === null ? {} : { description: String(description) }),
    target: { namespace: String(row.namespace), taskQueue: String(row.task_queue) },
    services: JSON.parse(String(row.services)) as ServiceContract[],
    ...(JSON.parse(String(row.more)) as Partial<EndpointSpec>),
    version: Number(row.version),
    createdAt: Number(row.created_at),
    lastModifiedAt: Number(row.last_modified_at),
    ...(override !== null && { override: JSON.parse(String(override)) as EndpointOverride }),
  };
}
