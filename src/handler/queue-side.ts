import type { HandleInvocation, LambdaContext } from './invocation.ts';
import type { PastCutOff, PromotableInvocation } from './outlive.ts';

/** A batch of messages of an SQS queue: the members that are used. */
export interface SqsEvent {
  readonly Records: readonly {
    readonly messageId: string;
    readonly body: string;
    readonly eventSource: 'aws:sqs';
    /** How often it came, this time included: a number as text. */
    readonly attributes?: { readonly ApproximateReceiveCount?: string };
  }[];
}

/** Names the messages that have to come again (`ReportBatchItemFailures`). */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/**
 * What a handler needs for operations that a queue delivers to it. Made by `queuedDelivery()` of `nexus-lambda/aws`; a
 * handler whose endpoints queue nothing goes without, and never loads it.
 */
export interface QueueSide {
  consume(event: SqsEvent, context: LambdaContext, handle: HandleInvocation): Promise<SqsBatchResponse>;
  /** For an invocation that has gone on past its cut-off. Rejects where it cannot be loaded. */
  pastCutOff(invocation: PromotableInvocation, context: LambdaContext, handle: HandleInvocation): Promise<PastCutOff>;
}

export function isSqsEvent(event: unknown): event is SqsEvent {
  const records = (event as Partial<SqsEvent> | null)?.Records;
  return Array.isArray(records) && records[0]?.eventSource === 'aws:sqs';
}
