import { ENDPOINT_NAME_RULE, isEndpointName } from '../router/endpoint-spec.ts';
import type { TaskQueueRule } from './contract.ts';

const MEMBERS = ['queue', 'eventSourceMapping', 'endpoints'] satisfies readonly (keyof TaskQueueRule)[];

/** As the ids of mappings are. What is no id would be another path of Lambda's API. */
const MAPPING_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether an event is of the rule of a task queue, right or wrong. */
export function isOfTaskQueueRule(event: unknown): event is { readonly taskQueue: unknown } {
  return typeof event === 'object' && event !== null && 'taskQueue' in event;
}

/** Fails with a TypeError that names the member that is wrong. */
export function parseTaskQueueRule({ taskQueue: given }: { readonly taskQueue: unknown }): TaskQueueRule {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrong('', given, `an object with ${MEMBERS.join(', ')}`);
  }
  const { queue, eventSourceMapping, endpoints, ...others } = given as Record<string, unknown>;
  const [other] = Object.entries(others);
  if (other !== undefined) throw wrong(`.${other[0]}`, other[1], `${MEMBERS.join(', ')} and nothing else`);
  if (typeof queue !== 'string' || !URL.canParse(queue)) throw wrong('.queue', queue, 'the URL of a queue');
  if (typeof eventSourceMapping !== 'string' || !MAPPING_ID.test(eventSourceMapping)) {
    throw wrong('.eventSourceMapping', eventSourceMapping, 'the UUID of an event source mapping');
  }
  if (!Array.isArray(endpoints) || endpoints.length === 0 || !endpoints.every(isName)) {
    throw wrong('.endpoints', endpoints, `a list of names, one at least, each of ${ENDPOINT_NAME_RULE}`);
  }
  return { queue, eventSourceMapping, endpoints };
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && isEndpointName(value);
}

function wrong(member: string, value: unknown, allowed: string): TypeError {
  const shown = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 200);
  return new TypeError(
    `taskQueue${member} of the event is ${shown}; it takes ${allowed}, as the rule has it that nexus-lambda/cdk makes for a task ` +
      'queue; deploy the stack of its endpoints again',
  );
}
