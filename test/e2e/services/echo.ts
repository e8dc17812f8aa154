import { log, metricMeter, operationInfo } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { echo } from './contracts.ts';

export const echoHandler = serviceHandler(echo, {
  echo: async (_ctx, input) => input,
  kindOf: async (_ctx, input) => {
    if (input === undefined || input === null) return String(input);
    return typeof input === 'object' ? input.constructor.name : typeof input;
  },
  whereAmI: async (_ctx, { marker }) => {
    log.info('somebody wants to know where this runs', { marker });
    metricMeter.createCounter('asked-where').add(1);
    const { namespace, taskQueue, endpoint } = operationInfo();
    return { namespace, taskQueue, endpoint };
  },
});
