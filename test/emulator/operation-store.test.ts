import { describeDynamoOperationStore } from '../contract/dynamodb-operation-store.contract.ts';
import { startMinistack } from '../toolchain/ministack.ts';

describeDynamoOperationStore('the DynamoDB of MiniStack', startMinistack);
