import type { HandlerTemporal } from '../nexus/doctor-contract.ts';
import { DEPLOY } from './deployment.ts';
import { shellWord } from './shell-word.ts';

type Variables = Readonly<Record<string, string>>;

/** Who connects to Temporal, and where the settings of that connection are changed. */
export interface ReachSide {
  readonly who: string;
  readonly isHere: boolean;
  /** Name of the Lambda function that connects. */
  readonly functionName?: string;
  /** Lines that give it variables of the environment. */
  set(variables: Variables): readonly string[];
}

/** The doctor itself. */
export const here: ReachSide = {
  who: 'this machine',
  isHere: true,
  set: (variables) => [command('npx nexus-lambda doctor …', variables)],
};

/** The handler: its settings are those of its construct, or options of the dev server. */
export function handlerSide(temporal: HandlerTemporal, functionName: string | undefined): ReachSide {
  if (functionName === undefined) {
    const set = (variables: Variables) => [command('npx nexus-lambda dev MODULE', variables)];
    return { who: 'the handler', isHere: false, set };
  }
  return {
    who: `function ${functionName}`,
    isHere: false,
    functionName,
    set: (variables) => [...construct(variables, temporal), DEPLOY],
  };
}

/** Address and namespace are options of both commands, and win over the variables. */
function command(name: string, variables: Variables): string {
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, ...others } = variables;
  return [
    ...Object.entries(others).map(([variable, value]) => `${variable}=${shellWord(value)}`),
    name,
    ...(address === undefined ? [] : [`--temporal-address ${shellWord(address)}`]),
    ...(namespace === undefined ? [] : [`--temporal-namespace ${shellWord(namespace)}`]),
  ].join(' ');
}

function construct(variables: Variables, { address, namespace, taskQueue }: HandlerTemporal): string[] {
  const { TEMPORAL_ADDRESS = address, TEMPORAL_NAMESPACE = namespace, TEMPORAL_API_KEY: apiKey, ...others } = variables;
  const settings = { address: TEMPORAL_ADDRESS, namespace: TEMPORAL_NAMESPACE, taskQueue };
  const temporal = [
    ...Object.entries(settings).map(([name, value]) => `${name}: '${value}'`),
    // A key in a variable would be shown to whoever may look at the function.
    ...(apiKey === undefined ? [] : ['secret']),
  ];
  const environment = Object.entries(others).map(([name, value]) => `${name}: '${value}'`);
  return [
    '# in the NexusFunction of the handler:',
    `#   temporal: { ${temporal.join(', ')} },`,
    ...(apiKey === undefined
      ? []
      : [`# where secret holds {"apiKey": "${apiKey}"}, and temporal({ credentials: temporalSecret() })`]),
    ...(environment.length === 0 ? [] : [`#   environment: { ${environment.join(', ')} },`]),
  ];
}
