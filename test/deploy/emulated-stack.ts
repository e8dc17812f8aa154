/* What the apps of the emulator are made of: where it differs from AWS, and how, is said here. */
import { App, Aspects, CfnOutput, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { type CfnSecret, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueuePolicy } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { NexusGateway, type NexusGatewayProps } from '../../cdk/index.ts';
import { ENV } from '../../src/aws/contract.ts';

/** Of whatever is kept by default. */
export const removalPolicy = RemovalPolicy.DESTROY;

/** Bundles the sources of nexus-lambda, without a build first. */
export const FROM_SOURCES = { esbuildArgs: { '--conditions': 'nexus-lambda-source,module' } };

/** The one stack of an app. Its queues refuse nothing that does not come over TLS, which the emulator does not speak. */
export function emulatedStack(id: string): Stack {
  const stack = new Stack(new App({ builtinCloudFormationValidation: false }), id);
  Aspects.of(stack).add({
    visit(node) {
      if (!(node instanceof CfnQueuePolicy)) return;
      const { Statement, ...document } = stack.resolve(node.policyDocument);
      const allowing = Statement.filter(({ Effect }: { readonly Effect: string }) => Effect === 'Allow');
      node.addPropertyOverride('PolicyDocument', { ...document, Statement: allowing });
    },
  });
  return stack;
}

/** A gateway that nobody watches, and of which nothing is left. */
export function emulatedGateway(stack: Stack, props: NexusGatewayProps = {}): NexusGateway {
  return new NexusGateway(stack, 'Nexus', { removalPolicy, alarms: false, dashboard: false, ...props });
}

/**
 * A secret of this JSON. On the emulator `Ref` of a secret is its name, where AWS gives the ARN that policies need; what is
 * returned has the ARN on both.
 */
export function emulatedSecret(
  scope: Construct,
  id: string,
  value: Readonly<Record<string, string>>,
  encryptionKey?: Key,
): ISecret {
  const secret = new Secret(scope, id, {
    secretStringValue: SecretValue.unsafePlainText(JSON.stringify(value)),
    encryptionKey,
  });
  const secretCompleteArn = (secret.node.defaultChild as CfnSecret).attrId;
  return Secret.fromSecretAttributes(scope, `${id}Arn`, { secretCompleteArn, encryptionKey });
}

/** Sets variables of the functions that keep operations. The callbacks of Temporal are on this machine, as they are. */
export function runHere(
  { router, durableOperations }: NexusGateway,
  environment: Readonly<Record<string, string>> = {},
): void {
  for (const each of [router, durableOperations.function]) {
    each.addEnvironment(ENV.loopbackCallbacks, 'emulator');
    for (const [name, value] of Object.entries(environment)) each.addEnvironment(name, value);
  }
}

/** Outputs of exactly these names. */
export function addOutputs(stack: Stack, outputs: Readonly<Record<string, string>>): void {
  for (const [id, value] of Object.entries(outputs))
    new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
}
