import type { Logger } from '../handler/logger.ts';
import type { Clock, EndpointRegistry } from '../router/ports.ts';
import { type QueueReading, queueReading } from '../router/queue-pause.ts';
import type { TaskQueueRule } from './contract.ts';
import { UnreadableEndpointError } from './endpoint-errors.ts';
import type { EventSourceMappings } from './event-source-mappings.ts';

export interface TaskQueueReconcilerDeps {
  /** What is stored now, and no view of it. */
  readonly registry: Pick<EndpointRegistry, 'get' | 'list'>;
  readonly mappings: EventSourceMappings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * What was done: `kept` where the mapping is as it is to be. It is left as it is where it is `changing`, where its
 * endpoints are `unknown` since the registry cannot be reached, and where it is `gone`.
 */
export interface TaskQueueRound {
  readonly mapping: 'kept' | 'enabled' | 'disabled' | 'changing' | 'unknown' | 'gone';
}

const TO_READ = 'nexus-lambda endpoint resume --name NAME, or circuit reset NAME, of any of its endpoints';
const TO_WAIT =
  'a mapping that is disabled by hand is enabled again: nexus-lambda endpoint pause --name NAME has it wait';

/**
 * Makes what switches the event source mapping of a task queue: on or off, whichever its endpoints ask for, whoever set it
 * otherwise. Called every minute. Rejects where the mapping can be neither read nor set: somebody has to mend that.
 */
export function createTaskQueueReconciler(
  deps: TaskQueueReconcilerDeps,
): (rule: TaskQueueRule) => Promise<TaskQueueRound> {
  const { registry, mappings, clock, logger } = deps;

  /** Of the endpoints that the rule names, and only where these are all closed of those that are of the queue besides. */
  async function readingOf({ queue, endpoints: names }: TaskQueueRule, isRead: boolean): Promise<QueueReading> {
    try {
      for (const name of names) {
        const endpoint = await registry.get(name);
        // What waits of one that is gone is run all the same, and of one that is deployed just now it will be.
        if (endpoint === undefined) return { read: true, why: `no endpoint is named "${name}"` };
        const reading = queueReading([endpoint], isRead, clock.now());
        if (reading.read) return reading;
      }
      const all = await registry.list();
      const ofQueue = all.filter(({ name, queues }) => names.includes(name) || queues?.task === queue);
      return queueReading(ofQueue, isRead, clock.now());
    } catch (error) {
      // This would last until somebody mends the item, and nobody else says meanwhile that its endpoint is closed.
      if (error instanceof UnreadableEndpointError) return { read: true, why: error.message };
      throw error;
    }
  }

  return async (rule) => {
    const { queue, eventSourceMapping } = rule;
    const about = { queue, eventSourceMapping };
    const state = await mappings.state(eventSourceMapping);
    if (state === undefined) {
      logger.warn('the event source mapping of a task queue is gone; deploy the stack of its endpoints again', about);
      return { mapping: 'gone' };
    }
    if (state === 'changing') return { mapping: 'changing' };
    const isRead = state === 'enabled';
    let reading: QueueReading;
    try {
      reading = await readingOf(rule, isRead);
    } catch (error) {
      // Most likely nothing can be claimed now either, and what is switched for nothing takes minutes to switch back.
      logger.warn('a task queue is left as it is: its endpoints could not be read', { ...about, state, error });
      return { mapping: 'unknown' };
    }
    const { read, why } = reading;
    if (read === isRead) return { mapping: 'kept' };
    if (!(await mappings.setEnabled(eventSourceMapping, read))) return { mapping: 'changing' };
    if (read) logger.info('a task queue is read again', { ...about, why, hint: TO_WAIT });
    else
      logger.warn('a task queue is not read, since all of its endpoints are closed', { ...about, why, undo: TO_READ });
    return { mapping: read ? 'enabled' : 'disabled' };
  };
}
