import { describeDynamoLimitStore } from '../contract/dynamodb-limit-store.contract.ts';
import { startMinistack } from '../toolchain/ministack.ts';

describeDynamoLimitStore('the DynamoDB of MiniStack', startMinistack);
