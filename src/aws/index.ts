export { queuedDelivery } from './queued-delivery.ts';
export { type ReadSecret, type SecretCredentials, temporalSecret } from './temporal-secret.ts';
