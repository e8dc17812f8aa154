import { describeDynamoOperationStore } from '../contract/dynamodb-operation-store.contract.ts';
import { startDynamoDbLocal } from '../toolchain/dynamodb-local.ts';

describeDynamoOperationStore('DynamoDB Local', startDynamoDbLocal);
