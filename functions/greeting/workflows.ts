import { sleep } from '@temporalio/workflow';

/** Behind the operation `onboard`: any Temporal workflow, run by an ordinary worker. */
export async function onboarding(input: { name: string }): Promise<{ message: string; steps: string[] }> {
  const steps = ['account created', 'welcome mail sent'];
  await sleep('1 second');
  return { message: `Welcome aboard, ${input.name}!`, steps };
}
