import { Duration, SecretValue } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { LambdaDeploymentConfig } from 'aws-cdk-lib/aws-codedeploy';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { expect, it } from 'vitest';
import { createHandler, createStack, statementsOf } from './stacks.ts';

const templateOf = (props: Parameters<typeof createHandler>[2] = {}) => {
  const stack = createStack();
  createHandler(stack, 'Handler', props);
  return Template.fromStack(stack);
};

it('runs on Node.js 24 and arm64, with JSON logs that are kept for a month', () => {
  const template = templateOf();
  template.hasResourceProperties('AWS::Lambda::Function', {
    Runtime: 'nodejs24.x',
    Architectures: ['arm64'],
    MemorySize: 1024,
    Timeout: 60,
    LoggingConfig: { LogFormat: 'JSON' },
    Environment: { Variables: { NODE_OPTIONS: '--enable-source-maps' } },
  });
  template.hasResource('AWS::Logs::LogGroup', { Properties: { RetentionInDays: 30 }, DeletionPolicy: 'Delete' });
});

it('takes other settings instead', () => {
  const template = templateOf({ memorySize: 256, timeout: Duration.seconds(5), logRetention: RetentionDays.ONE_DAY });
  template.hasResourceProperties('AWS::Lambda::Function', { MemorySize: 256, Timeout: 5 });
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 1 });
});

it('serves a published version through the alias live', () => {
  const template = templateOf();
  const [version] = Object.keys(template.findResources('AWS::Lambda::Version'));
  template.hasResourceProperties('AWS::Lambda::Alias', {
    Name: 'live',
    FunctionVersion: { 'Fn::GetAtt': [version, 'Version'] },
  });
});

it('may write its own log and nothing else', () => {
  const statements = statementsOf(templateOf());
  expect([...statements.keys()]).toEqual(['WriteLog']);
  const [logGroup] = Object.keys(templateOf().findResources('AWS::Logs::LogGroup'));
  expect(statements.get('WriteLog')).toMatchObject({
    Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    Resource: { 'Fn::GetAtt': [logGroup, 'Arn'] },
  });
  templateOf().resourceCountIs('AWS::IAM::ManagedPolicy', 0);
});

it('is told how to reach Temporal, with the ARN of a secret and never its value', () => {
  const stack = createStack();
  const secret = new Secret(stack, 'Key', {
    secretStringValue: SecretValue.unsafePlainText('{"apiKey":"open sesame"}'),
  });
  createHandler(stack, 'Handler', { temporal: { address: 'temporal.internal:7233', taskQueue: 'orders', secret } });
  const template = Template.fromStack(stack);
  const [secretId] = Object.keys(template.findResources('AWS::SecretsManager::Secret'));
  const [{ Properties }] = Object.values(template.findResources('AWS::Lambda::Function')) as [{ Properties: unknown }];
  expect(Properties).toMatchObject({
    Environment: {
      Variables: {
        TEMPORAL_ADDRESS: 'temporal.internal:7233',
        TEMPORAL_NAMESPACE: 'default',
        TEMPORAL_TASK_QUEUE: 'orders',
        NEXUS_TEMPORAL_SECRET_ARN: { Ref: secretId },
      },
    },
  });
  expect(JSON.stringify(Properties)).not.toContain('sesame');
  expect(statementsOf(template).get('ReadTemporalSecret')).toMatchObject({
    Action: 'secretsmanager:GetSecretValue',
    Resource: { Ref: secretId },
  });
});

it.each(['http://temporal:7233', 'temporal', '', 'temporal:port'])(
  'fails when the address of Temporal is "%s"',
  (address) => {
    expect(() => templateOf({ temporal: { address, taskQueue: 'q' } })).toThrow(
      /^temporal\.address is .*host(:port| and port)/,
    );
  },
);

it('fails when the task queue is empty', () => {
  expect(() => templateOf({ temporal: { address: 'a:1', taskQueue: ' ' } })).toThrow(/^temporal\.taskQueue is empty/);
});

it('runs in a network when it is given one, with the right to interfaces in it', () => {
  const stack = createStack();
  createHandler(stack, 'Handler', { vpc: new Vpc(stack, 'Vpc') });
  const template = Template.fromStack(stack);
  const functions = Object.values(template.findResources('AWS::Lambda::Function'));
  expect(functions.some(({ Properties }) => Properties.VpcConfig?.SubnetIds?.length >= 2)).toBe(true);
  expect(statementsOf(template).has('ManageNetworkInterfaces')).toBe(true);
});

it('moves traffic gradually when it is asked to, and back where the new version fails', () => {
  const template = templateOf({ deploymentConfig: LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES });
  template.hasResourceProperties('AWS::CodeDeploy::DeploymentGroup', {
    DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
    AutoRollbackConfiguration: { Enabled: true },
  });
  const [alias] = Object.values(template.findResources('AWS::Lambda::Alias'));
  expect(alias?.UpdatePolicy).toHaveProperty('CodeDeployLambdaAliasUpdate');
});

it('may use the key of its secret through Secrets Manager only, wherever the key is', () => {
  const stack = createStack();
  const encryptionKey = Key.fromKeyArn(stack, 'Key', 'arn:aws:kms:eu-west-1:111111111111:key/k');
  const secret = new Secret(stack, 'Secret', { encryptionKey });
  createHandler(stack, 'Handler', { temporal: { address: 'a:1', taskQueue: 'q', secret } });
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        {
          Action: 'kms:Decrypt',
          Effect: 'Allow',
          Resource: 'arn:aws:kms:eu-west-1:111111111111:key/k',
          Condition: { StringEquals: { 'kms:ViaService': Match.anyValue() } },
        },
      ]),
    },
  });
});
