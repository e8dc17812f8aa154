import { ApplicationFailure } from '@temporalio/common';
import { OperationError, operation, service, serviceHandler } from 'nexus-rpc';

/** Served with a data converter that encrypts. */
export const vault = service('vault', {
  open: operation<{ password: string }, { secret: string }>(),
  lock: operation<{ password: string }, never>(),
});

export const vaultHandler = serviceHandler(vault, {
  open: async (_ctx, { password }) => ({ secret: `what ${password} opens` }),
  lock: async (_ctx, { password }) => {
    const cause = ApplicationFailure.create({ message: `no lock for ${password}`, details: [{ password }] });
    throw new OperationError('failed', `cannot lock with ${password}`, { cause });
  },
});
