import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { ANSWERS, ENV } from '../src/aws/contract.ts';

export interface DeduplicationProps {
  readonly router: LambdaFunction;
  readonly removalPolicy?: RemovalPolicy | undefined;
}

/**
 * What remembers answers to starts that may be repeated: a table of its own, so that the router, which writes it, gets no
 * right to write endpoints, and so that its key is that of each answer: in the table of endpoints, whose key has two
 * parts, Powertools would put all of them into one partition.
 */
export class Deduplication extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string, { router, removalPolicy = RemovalPolicy.DESTROY }: DeduplicationProps) {
    super(scope, id);
    this.table = new TableV2(this, 'Answers', {
      partitionKey: { name: ANSWERS.partitionKey, type: AttributeType.STRING },
      timeToLiveAttribute: ANSWERS.timeToLive,
      billing: Billing.onDemand(),
      removalPolicy,
    });
    router.addEnvironment(ENV.answersTable, this.table.tableName);
    router.addToRolePolicy(
      new PolicyStatement({
        sid: 'KeepAnswers',
        actions: ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
        resources: [this.table.tableArn],
      }),
    );
  }
}
