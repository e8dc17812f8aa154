import { join } from 'node:path';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { cdkBootstrap, cdkDeploy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { type EmulatedApi, emulatedApi, rootOf } from './emulated-api.ts';
import { createIam, type Iam, type IamCredentials } from './iam.ts';

/** Of the app in apps/access.ts. */
interface Outputs {
  readonly ApiId: string;
  readonly FunctionUrl: string;
  readonly TableName: string;
  /** ARN of the secret. */
  readonly Passwords: string;
  /** ARNs of roles: one that may invoke the paths of `orders` and `stock`, and two with those of `vault` and `shelf`. */
  readonly Buyer: string;
  readonly Auditor: string;
  readonly Visitor: string;
  /** Name of a user who may invoke the paths of `orders` and `stock`. */
  readonly User: string;
}

/** The app in apps/access.ts, deployed to an emulator that checks signatures and policies. */
export interface AccessApp {
  readonly emulator: Ministack;
  readonly api: EmulatedApi;
  readonly iam: Iam;
  readonly outputs: Outputs;
  readonly secrets: SecretsManagerClient;
  readonly lambda: LambdaClient;
  readonly signers: Readonly<Record<'root' | 'buyer' | 'auditor' | 'visitor' | 'user', IamCredentials>>;
  /** The name of a function, by how its construct's path begins. */
  functionName(constructPath: string): string;
  stop(): Promise<void>;
}

export const STACK = 'Access';

/** @param jwtIssuer URL of the issuer whose tokens the gateway takes */
export async function deployAccessApp(jwtIssuer: string): Promise<AccessApp> {
  const emulator = await startMinistack({ auth: true });
  try {
    await cdkBootstrap(emulator);
    const deployed = await cdkDeploy({
      emulator,
      app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning test/deploy/apps/access.ts',
      env: { JWT_ISSUER: jwtIssuer },
      cwd: join(import.meta.dirname, '../..'),
    });
    const outputs = deployed[STACK] as unknown as Outputs;
    const iam = createIam(emulator);
    const root = rootOf(emulator) as IamCredentials;
    const [buyer, auditor, visitor, user] = await Promise.all([
      iam.assumeRole(outputs.Buyer),
      iam.assumeRole(outputs.Auditor),
      iam.assumeRole(outputs.Visitor),
      iam.createAccessKey(outputs.User),
    ]);
    const lambda = new LambdaClient(clientOptions(emulator, root));
    const { Functions = [] } = await lambda.send(new ListFunctionsCommand());
    return {
      emulator,
      api: emulatedApi(emulator, outputs.ApiId),
      iam,
      outputs,
      secrets: new SecretsManagerClient(clientOptions(emulator, root)),
      lambda,
      signers: { root, buyer, auditor, visitor, user },
      functionName(constructPath) {
        const names = Functions.map(({ FunctionName = '' }) => FunctionName);
        const [name, ...others] = names.filter((each) => each.startsWith(`${STACK}-${constructPath}`));
        if (name !== undefined && others.length === 0) return name;
        throw new Error(`"${constructPath}" is not the beginning of one of ${names}`);
      },
      stop: () => emulator.stop(),
    };
  } catch (error) {
    await emulator.stop();
    throw error;
  }
}

/** What the SDK's clients take to ask the emulator with these credentials. */
export function clientOptions(
  { url, env }: Pick<Ministack, 'url' | 'env'>,
  { kind: _, ...credentials }: IamCredentials,
) {
  return { endpoint: url, region: env.AWS_REGION, credentials };
}

/** Path of the one operation of an endpoint of the app that tells anything. */
export function pathOf(endpoint: string): string {
  return `/nexus/endpoints/${endpoint}/services/${endpoint === 'billing' ? 'temporalKey/show' : 'runs/count'}`;
}
