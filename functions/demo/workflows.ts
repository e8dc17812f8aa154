import { createNexusServiceClient } from '@temporalio/workflow';
import { greetingService } from '../greeting/service.ts';

/** What the demo's worker runs: the caller below, and the workflow behind the operation `onboard`. */
export { onboarding } from '../greeting/workflows.ts';

/** A caller: a workflow of some other team, which knows the endpoint's name and the contract. */
export async function callGreeting(name: string): Promise<{ hello: string; onboard: string }> {
  const greeting = createNexusServiceClient({ service: greetingService, endpoint: 'greeting' });
  const hello = await greeting.executeOperation('hello', { name }, { scheduleToCloseTimeout: '1 minute' });
  const onboard = await greeting.executeOperation('onboard', { name }, { scheduleToCloseTimeout: '1 minute' });
  return { hello: hello.message, onboard: onboard.message };
}
