import { registrationOfEnvironment } from '../src/aws/registration.ts';

export const handler = registrationOfEnvironment();
