import { describeDynamoDeduplication } from '../contract/dynamodb-deduplication.contract.ts';
import { startMinistack } from '../toolchain/ministack.ts';

describeDynamoDeduplication('the DynamoDB of MiniStack', startMinistack);
