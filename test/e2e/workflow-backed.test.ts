import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { patience, useTemporal } from './use-temporal.ts';
import { releaseParcel } from './workflows/parcels.ts';
import { serverVersions } from './world.ts';

const { EVENT_TYPE_NEXUS_OPERATION_SCHEDULED, EVENT_TYPE_WORKFLOW_EXECUTION_STARTED } =
  proto.temporal.api.enums.v1.EventType;

describe.concurrent.each(serverVersions)(
  'an operation that a workflow carries out, called by the %s server',
  (version) => {
    const temporal = useTemporal(version);
    const endpointOf = () => temporal.createEndpoint(temporal.world.shopUrl);

    it('has the result of the workflow, and links in both histories', async () => {
      const id = `ship-${randomUUID()}`;
      const target = { endpoint: await endpointOf(), service: 'shipping', operation: 'ship' };
      const caller = await temporal.call(target, { id, item: 'a book' });
      expect(await caller.result()).toBe('a book is on its way');

      const [scheduled] = await temporal.eventsOf(caller.workflowId, 'nexusOperationScheduledEventAttributes');
      const [started] = await temporal.eventsOf(caller.workflowId, 'nexusOperationStartedEventAttributes');
      const completed = await temporal.eventsOf(caller.workflowId, 'nexusOperationCompletedEventAttributes');
      const [handlerStarted] = await temporal.eventsOf(id, 'workflowExecutionStartedEventAttributes');
      expect(completed).toHaveLength(1);
      expect(started?.attributes.operationToken).not.toBe('');
      expect(started?.links).toHaveLength(1);
      expect(started?.links[0]?.workflowEvent).toMatchObject({
        namespace: 'default',
        workflowId: id,
        eventRef: { eventType: EVENT_TYPE_WORKFLOW_EXECUTION_STARTED },
      });
      expect(handlerStarted?.attributes.completionCallbacks).toHaveLength(1);
      const linksBack = [
        ...(handlerStarted?.links ?? []),
        ...(handlerStarted?.attributes.completionCallbacks?.[0]?.links ?? []),
      ];
      expect(linksBack[0]?.workflowEvent).toMatchObject({
        namespace: 'default',
        workflowId: caller.workflowId,
        eventRef: { eventType: EVENT_TYPE_NEXUS_OPERATION_SCHEDULED },
      });
      expect(Number(linksBack[0]?.workflowEvent?.eventRef?.eventId)).toBe(scheduled?.eventId);
    });

    it('fails where the workflow fails, with its details', async () => {
      const target = { endpoint: await endpointOf(), service: 'shipping', operation: 'ship' };
      const failure = await temporal.failureOf(target, { id: `ship-${randomUUID()}`, item: 'a vase', broken: true });
      expect(failure.cause).toBeInstanceOf(ApplicationFailure);
      expect(failure.cause).toMatchObject({
        message: 'a vase broke on the way',
        type: 'Broken',
        details: [{ item: 'a vase' }],
      });
    });

    it('gives its result to a second caller that joins the workflow', async ({ expect }) => {
      const id = `hold-${randomUUID()}`;
      const target = { endpoint: await endpointOf(), service: 'shipping', operation: 'hold' };
      const callers = await Promise.all([temporal.call(target, { id }), temporal.call(target, { id })]);
      for (const { workflowId } of callers) {
        const started = () => temporal.eventsOf(workflowId, 'nexusOperationStartedEventAttributes');
        await expect.poll(started, patience).toHaveLength(1);
      }
      await temporal.client.workflow.getHandle(id).signal(releaseParcel, 'both');
      expect(await Promise.all(callers.map((caller) => caller.result()))).toEqual([
        'released to both',
        'released to both',
      ]);
      expect(await temporal.eventsOf(id, 'workflowExecutionStartedEventAttributes')).toHaveLength(1);
    });

    it('may call another operation, of another service at another endpoint', async () => {
      const id = `order-${randomUUID()}`;
      const warehouse = await temporal.createEndpoint(temporal.world.warehouseUrl);
      const target = { endpoint: await endpointOf(), service: 'shipping', operation: 'order' };
      expect(await temporal.resultOf(target, { id, item: 'a chair', warehouse })).toBe('ordered: a chair is reserved');
      const [scheduled] = await temporal.eventsOf(id, 'nexusOperationScheduledEventAttributes');
      const [started] = await temporal.eventsOf(id, 'nexusOperationStartedEventAttributes');
      expect(scheduled?.attributes).toMatchObject({ endpoint: warehouse, service: 'stock', operation: 'reserve' });
      expect(started?.links[0]?.workflowEvent?.workflowId).toBe(`${id}-stock`);
    });
  },
);
