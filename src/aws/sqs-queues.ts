import { GetQueueAttributesCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { CompletionQueue, TaskQueue, WakeUp } from '../operations/ports.ts';
import type { OperationRecord, QueueUrls } from '../operations/record.ts';
import { formatCompletionMessage, formatWakeUp } from './queue-messages.ts';

export interface SqsQueuesDeps {
  readonly client: SQSClient;
  /** Of the operations, which the messages name. */
  readonly tableName: string;
  /** Of the endpoints, the same. */
  readonly endpointsTable: string;
  readonly clock: { now(): number };
}

/** How long what a queue said of itself is good for: the reconciler asks for operation after operation of one backlog. */
const BACKLOG_AGE_MS = 5_000;

/** Longest id of a message group, and the characters that one may have (SQS API reference). */
const MAX_GROUP_LENGTH = 128;
const NOT_IN_GROUP = /[^\w!"#$%&'()*+,\-./:;<=>?@[\\\]^`{|}~]/g;

/**
 * The queues of SQS that a record names. Wake-ups of one caller are one message group: on a standard queue that makes it
 * fair, so that a caller with a backlog does not hold up the others.
 */
export function createSqsQueues({
  client,
  tableName,
  endpointsTable,
  clock,
}: SqsQueuesDeps): TaskQueue & { readonly completions: CompletionQueue } {
  async function send(
    QueueUrl: string,
    MessageBody: string,
    options: { delayMs?: number; group?: string } = {},
  ): Promise<void> {
    const { delayMs = 0, group } = options;
    await client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        DelaySeconds: Math.ceil(delayMs / 1000),
        ...(group !== undefined && { MessageGroupId: group }),
      }),
    );
  }

  const backlogs = new Map<string, { readonly at: number; readonly has: Promise<boolean> }>();

  /** Messages that nobody is working on: a queue without any is read as fast as it is filled. */
  async function hasBacklog(QueueUrl: string): Promise<boolean> {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] });
    const { Attributes } = await client.send(command);
    return Number(Attributes?.ApproximateNumberOfMessages) > 0;
  }

  const wakeUp = ({ endpoint, principal }: OperationRecord, { token, attempt }: WakeUp) => ({
    table: tableName,
    token,
    attempt,
    from: { table: endpointsTable, endpoint, principal },
  });

  return {
    send: async (record, message, delayMs) =>
      send(urlsOf(record).task, formatWakeUp(wakeUp(record, message)), { delayMs, group: groupOf(record.principal) }),
    async mayHold(record) {
      const url = urlsOf(record).task;
      const at = clock.now();
      const asked = backlogs.get(url);
      if (asked !== undefined && at - asked.at < BACKLOG_AGE_MS) return asked.has;
      const has = hasBacklog(url);
      backlogs.set(url, { at, has });
      return has;
    },
    deadLetter: async (record, message, reason) =>
      send(urlsOf(record).deadLetter, formatWakeUp({ ...wakeUp(record, message), reason })),
    completions: {
      send: async (record, delayMs) =>
        send(urlsOf(record).completion, formatCompletionMessage(tableName, record), { delayMs }),
    },
  };
}

function urlsOf({ token, queues }: Pick<OperationRecord, 'token' | 'queues'>): QueueUrls {
  if (queues !== undefined) return queues;
  throw new Error(`operation ${token} names no queues: it was not accepted by a router of nexus-lambda on AWS`);
}

function groupOf(principal: string): string {
  return principal.replace(NOT_IN_GROUP, '_').slice(-MAX_GROUP_LENGTH);
}
