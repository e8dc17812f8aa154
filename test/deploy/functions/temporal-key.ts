import { Connection, type ConnectionOptions } from '@temporalio/client';
import { getClient } from '@temporalio/nexus';
import { createServiceHandler } from 'nexus-lambda';
import { temporalSecret } from 'nexus-lambda/aws';
import { temporal } from 'nexus-lambda/temporal';
import { operation, service, serviceHandler } from 'nexus-rpc';

const temporalKey = service('temporalKey', {
  /** The API key that this environment would show to Temporal. */
  show: operation<void, { apiKey: string }>(),
  /** Ends the environment: the next one fetches the key anew. */
  forget: operation<void, void>(),
});

export const handler = createServiceHandler({
  services: [
    serviceHandler(temporalKey, {
      async show() {
        const { connection } = getClient();
        const { apiKey } = connection instanceof Connection ? (connection.options as ConnectionOptions) : {};
        return { apiKey: typeof apiKey === 'string' ? apiKey : 'none' };
      },
      async forget() {
        process.exit();
      },
    }),
  ],
  temporal: temporal({ credentials: temporalSecret() }),
});
