import { RemovalPolicy } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { type EndpointProps, NexusEndpoint, NexusGateway, type NexusGatewayProps } from '../../cdk/index.ts';
import { createHandler, createStack, statementsOf } from './stacks.ts';

function deploy(endpoint: Partial<EndpointProps>, props: NexusGatewayProps = {}) {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus', props);
  const handler = createHandler(stack);
  for (const name of ['orders', 'returns']) {
    gateway.addEndpoint(name, { taskQueue: 'orders', handler, ...endpoint });
  }
  return Template.fromStack(stack);
}

const answersIn = (template: Template) =>
  Object.entries(template.findResources('AWS::DynamoDB::GlobalTable')).filter(([id]) => id.includes('Answers'));

const routerOf = (template: Template) =>
  Object.values(template.findResources('AWS::Lambda::Function')).find(({ Properties }) =>
    Properties.Description?.startsWith('Routes Nexus requests'),
  )?.Properties;

describe('endpoints that deduplicate', () => {
  it('share one table of answers, which only the router writes, and nothing but that', () => {
    const template = deploy({ deduplicate: true });
    const [[id, table] = expect.unreachable(), ...others] = answersIn(template);
    expect(others).toEqual([]);
    expect(table).toMatchObject({
      DeletionPolicy: 'Delete',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        TimeToLiveSpecification: { AttributeName: 'expiration', Enabled: true },
      },
    });
    expect(routerOf(template).Environment.Variables).toMatchObject({ NEXUS_ANSWERS_TABLE_NAME: { Ref: id } });
    expect(statementsOf(template).get('KeepAnswers')).toMatchObject({
      Action: ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
      Resource: { 'Fn::GetAtt': [id, 'Arn'] },
    });
  });

  it('are written to the registry once the table is there', () => {
    const template = deploy({ deduplicate: true });
    const entries = Object.values(template.findResources('Custom::NexusEndpoint'));
    expect(entries.map(({ Properties }) => Properties.deduplicate)).toEqual(['true', 'true']);
    const [[id] = expect.unreachable()] = answersIn(template);
    for (const { DependsOn } of entries) expect(DependsOn).toContain(id);
  });

  it('have no table, variable or statement where none asks for it', () => {
    const template = deploy({ deduplicate: false });
    expect(answersIn(template)).toEqual([]);
    expect(routerOf(template).Environment.Variables).not.toHaveProperty('NEXUS_ANSWERS_TABLE_NAME');
    expect(statementsOf(template).has('KeepAnswers')).toBe(false);
    const entries = Object.values(template.findResources('Custom::NexusEndpoint'));
    for (const { Properties } of entries) expect(Properties).not.toHaveProperty('deduplicate');
  });

  it('leave the table where the gateway is told to leave its own', () => {
    const [[, table] = expect.unreachable()] = answersIn(
      deploy({ deduplicate: true }, { removalPolicy: RemovalPolicy.RETAIN }),
    );
    expect(table?.DeletionPolicy).toBe('Retain');
  });

  it('fail at synth with a gateway that is only named', () => {
    const stack = createStack();
    const gateway = NexusGateway.fromGatewayAttributes(stack, 'Gateway', {
      url: 'https://a.example.com',
      apiId: 'a',
      tableName: 'endpoints',
      routerRoleArn: 'arn:aws:iam::111111111111:role/router',
    });
    const props = { gateway, name: 'orders', taskQueue: 'orders', handler: createHandler(stack), deduplicate: true };
    expect(() => new NexusEndpoint(stack, 'Orders', props)).toThrow(
      'endpoint "orders" deduplicates starts, which takes a gateway of the same app: hand over the NexusGateway itself',
    );
  });
});
