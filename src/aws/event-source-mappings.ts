import {
  GetEventSourceMappingCommand,
  type LambdaClient,
  ResourceConflictException,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';

/** Mappings from queues to functions, by their ids. */
export interface EventSourceMappings {
  /** `undefined` where there is none. `changing`: what it was set to is not so yet. */
  state(id: string): Promise<'enabled' | 'disabled' | 'changing' | undefined>;
  /** False where it cannot be set now: somebody has changed or deleted it since. */
  setEnabled(id: string, enabled: boolean): Promise<boolean>;
}

export function createEventSourceMappings(client: LambdaClient): EventSourceMappings {
  return {
    async state(UUID) {
      try {
        const { State } = await client.send(new GetEventSourceMappingCommand({ UUID }));
        return State === 'Enabled' ? 'enabled' : State === 'Disabled' ? 'disabled' : 'changing';
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return undefined;
        throw error;
      }
    },

    async setEnabled(UUID, Enabled) {
      try {
        await client.send(new UpdateEventSourceMappingCommand({ UUID, Enabled }));
        return true;
      } catch (error) {
        const others = [ResourceInUseException, ResourceConflictException, ResourceNotFoundException];
        if (others.some((other) => error instanceof other)) return false;
        throw error;
      }
    },
  };
}
