import { ApplicationFailure } from '@temporalio/common';
import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { OperationError, operation, service, serviceHandler } from 'nexus-rpc';
import { keepSecret } from '../workflows/secrets.ts';

/** Served with a data converter that encrypts. */
export const vault = service('vault', {
  open: operation<{ password: string }, { secret: string }>(),
  lock: operation<{ password: string }, never>(),
  keep: operation<{ id: string; password: string }, string>(),
});

export const vaultHandler = serviceHandler(vault, {
  open: async (_ctx, { password }) => ({ secret: `what ${password} opens` }),
  lock: async (_ctx, { password }) => {
    const cause = ApplicationFailure.create({ message: `no lock for ${password}`, details: [{ password }] });
    throw new OperationError('failed', `cannot lock with ${password}`, { cause });
  },
  keep: new WorkflowRunOperationHandler(async (ctx, { id, password }) =>
    startWorkflow(ctx, keepSecret, { workflowId: id, args: [password] }),
  ),
});
