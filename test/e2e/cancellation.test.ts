import { randomUUID } from 'node:crypto';
import { describe, it } from 'vitest';
import { patience, useTemporal } from './use-temporal.ts';
import { type CanceledCall, type CancellationType, leave } from './workflows/callers.ts';
import { parcelState, releaseParcel } from './workflows/parcels.ts';
import { callerQueues, serverVersions } from './world.ts';

describe.concurrent.each(serverVersions)(
  'the cancellation of a workflow-backed operation by the %s server',
  (version) => {
    const temporal = useTemporal(version);

    /** A caller that cancels its operation as soon as that has started, and the workflow behind the operation. */
    const cancel = async (cancellationType: CancellationType) => {
      const id = `hold-${randomUUID()}`;
      const endpoint = await temporal.createEndpoint(temporal.world.shopUrl);
      const caller = await temporal.client.workflow.start('cancelOperation', {
        taskQueue: callerQueues.plain,
        workflowId: `cancel-${randomUUID()}`,
        args: [{ endpoint, service: 'shipping', operation: 'hold' }, { id }, cancellationType],
      });
      const parcel = temporal.client.workflow.getHandle(id);
      return {
        parcel,
        call: async () => {
          await caller.signal(leave);
          return (await caller.result()) as CanceledCall;
        },
        state: () => parcel.query(parcelState),
        events: async (attributes: Parameters<typeof temporal.eventsOf>[1]) =>
          (await temporal.eventsOf(caller.workflowId, attributes)).map(({ eventId }) => eventId),
      };
    };

    it('with ABANDON is told to the caller at once, and never to the workflow', async ({ expect }) => {
      const { parcel, call, events } = await cancel('ABANDON');
      expect((await call()).outcome).toBe('canceled');
      expect(await events('nexusOperationCancelRequestedEventAttributes')).toEqual([]);
      expect(await parcel.query(parcelState)).toBe('held');
      await parcel.signal(releaseParcel, 'nobody');
      expect(await parcel.result()).toBe('released to nobody');
    });

    it('with TRY_CANCEL is told to the caller at once, before the workflow has it', async ({ expect }) => {
      const { parcel, call, events, state } = await cancel('TRY_CANCEL');
      await expect.poll(state, patience).toBe('letting go');
      const { outcome, historyLength } = await call();
      expect(outcome).toBe('canceled');
      const [requested] = await events('nexusOperationCancelRequestedEventAttributes');
      expect(requested).toBeGreaterThan(historyLength);
      await parcel.signal(releaseParcel, 'nobody');
      await expect(parcel.result()).rejects.toThrow('Workflow execution cancelled');
    });

    it('with WAIT_CANCELLATION_REQUESTED is told to the caller once the handler has taken the request', async ({
      expect,
    }) => {
      const { parcel, call, events, state } = await cancel('WAIT_CANCELLATION_REQUESTED');
      const { outcome, historyLength } = await call();
      expect(outcome).toBe('canceled');
      const [taken] = await events('nexusOperationCancelRequestCompletedEventAttributes');
      expect(taken).toBeLessThanOrEqual(historyLength);
      expect(await events('nexusOperationCanceledEventAttributes')).toEqual([]);
      await expect.poll(state, patience).toBe('letting go');
      await parcel.signal(releaseParcel, 'nobody');
      await expect(parcel.result()).rejects.toThrow('Workflow execution cancelled');
    });

    it('with WAIT_CANCELLATION_COMPLETED is told to the caller once the workflow has ended', async ({ expect }) => {
      const { parcel, call, events, state } = await cancel('WAIT_CANCELLATION_COMPLETED');
      await expect.poll(state, patience).toBe('letting go');
      expect(await events('nexusOperationCanceledEventAttributes')).toEqual([]);
      await parcel.signal(releaseParcel, 'nobody');
      const { outcome, historyLength } = await call();
      expect(outcome).toBe('canceled');
      const [canceled] = await events('nexusOperationCanceledEventAttributes');
      expect(canceled).toBeLessThanOrEqual(historyLength);
      await expect(parcel.result()).rejects.toThrow('Workflow execution cancelled');
    });
  },
);
