import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { reserveItem } from '../workflows/stock.ts';
import { stock } from './contracts.ts';

export default serviceHandler(stock, {
  reserve: new WorkflowRunOperationHandler(async (ctx, input) =>
    startWorkflow(ctx, reserveItem, { workflowId: input.id, args: [input] }),
  ),
});
