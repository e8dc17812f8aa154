import { describeDynamoEndpointRegistry } from '../contract/dynamodb-endpoint-registry.contract.ts';
import { startMinistack } from '../toolchain/ministack.ts';

describeDynamoEndpointRegistry('the DynamoDB of MiniStack', startMinistack);
