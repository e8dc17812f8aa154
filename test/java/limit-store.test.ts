import { describeDynamoLimitStore } from '../contract/dynamodb-limit-store.contract.ts';
import { startDynamoDbLocal } from '../toolchain/dynamodb-local.ts';

describeDynamoLimitStore('DynamoDB Local', startDynamoDbLocal);
