import { App, Stack, type StackProps } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NexusFunction, type NexusFunctionProps } from '../../cdk/index.ts';

/** A stack of an app of its own. */
export function createStack(props: StackProps = {}): Stack {
  return new Stack(new App(), 'Test', props);
}

/** A handler whose code is not bundled: what is in it does not matter to a template. */
export function createHandler(
  stack: Stack,
  id = 'Handler',
  {
    code = 'exports.handler = async () => ({})',
    ...props
  }: Partial<Omit<NexusFunctionProps, 'code'>> & { code?: string } = {},
): NexusFunction {
  return new NexusFunction(stack, id, {
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    ...props,
    code: Code.fromInline(code),
  });
}

/** Statements of all policies in a template, by their `Sid`. */
export function statementsOf(template: Template): Map<string, Record<string, unknown>> {
  const policies = Object.values(template.findResources('AWS::IAM::Policy'));
  const statements = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  return new Map(statements.map((statement) => [statement.Sid, statement]));
}
