import { describeDynamoEndpointRegistry } from '../contract/dynamodb-endpoint-registry.contract.ts';
import { startDynamoDbLocal } from '../toolchain/dynamodb-local.ts';

describeDynamoEndpointRegistry('DynamoDB Local', startDynamoDbLocal);
