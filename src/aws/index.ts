export { type ReadSecret, type SecretCredentials, temporalSecret } from './temporal-secret.ts';
