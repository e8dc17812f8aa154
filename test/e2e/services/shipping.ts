import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { holdParcel, orderParcel, shipParcel } from '../workflows/parcels.ts';
import { shipping } from './contracts.ts';

export const shippingHandler = serviceHandler(shipping, {
  ship: new WorkflowRunOperationHandler(async (ctx, input) =>
    startWorkflow(ctx, shipParcel, { workflowId: input.id, args: [input] }),
  ),
  hold: new WorkflowRunOperationHandler(async (ctx, input) =>
    startWorkflow(ctx, holdParcel, { workflowId: input.id, workflowIdConflictPolicy: 'USE_EXISTING' }),
  ),
  order: new WorkflowRunOperationHandler(async (ctx, input) =>
    startWorkflow(ctx, orderParcel, { workflowId: input.id, args: [input] }),
  ),
});
