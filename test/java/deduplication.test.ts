import { describeDynamoDeduplication } from '../contract/dynamodb-deduplication.contract.ts';
import { startDynamoDbLocal } from '../toolchain/dynamodb-local.ts';

describeDynamoDeduplication('DynamoDB Local', startDynamoDbLocal);
