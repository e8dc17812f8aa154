import { log, startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { greetingService } from './service.ts';
import { onboarding } from './workflows.ts';

/** The same handler as on a Temporal worker: nothing in it knows Lambda. */
export const greetingHandler = serviceHandler(greetingService, {
  async hello(_ctx, { name }) {
    log.debug('said hello', { name });
    return { message: `Hello, ${name}!` };
  },

  onboard: new WorkflowRunOperationHandler(async (ctx, input) =>
    startWorkflow(ctx, onboarding, {
      args: [input],
      // One workflow per request, however often Temporal sends it.
      workflowId: `onboarding-${ctx.requestId}`,
    }),
  ),
});
