import { createBasicAuthorizer } from '../src/aws/basic-authorizer.ts';

export const handler = createBasicAuthorizer();
