import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { ServiceContract } from '../nexus/message.ts';
import { checkEndpointSpec } from '../router/endpoint-spec.ts';
import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from '../router/errors.ts';
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

  function whyUnchanged(name: string, version: number): Error {
    const stored = select.get(name);
    return stored === undefined
      ? new EndpointNotFoundError(name)
      : new EndpointVersionError(name, version, Number(stored.version));
  }

  return {
    async get(name) {
      const row = select.get(name);
      return row && toEndpoint(row);
    },
    async list() {
      return selectAll.all().map(toEndpoint);
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
  };
}

function toColumns({ name, description, target, services, ...others }: EndpointSpec) {
  const { previousServices, callers, functionArn, owner, settings, queued, promotable, queues, allowedCallbacks } =
    others;
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
      promotable,
      queues,
      allowedCallbacks,
    }),
  };
}

function toEndpoint(row: Row): Endpoint {
  const { description } = row;
  return {
    name: String(row.name),
    ...(description === null ? {} : { description: String(description) }),
    target: { namespace: String(row.namespace), taskQueue: String(row.task_queue) },
    services: JSON.parse(String(row.services)) as ServiceContract[],
    ...(JSON.parse(String(row.more)) as Partial<EndpointSpec>),
    version: Number(row.version),
    createdAt: Number(row.created_at),
    lastModifiedAt: Number(row.last_modified_at),
  };
}
