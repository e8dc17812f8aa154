export { CollocatedEndpoint, type CollocatedEndpointProps } from './collocated-endpoint.ts';
export type { EndpointOptions, EndpointProps, INexusGateway, NexusEndpointProps } from './endpoint-props.ts';
export type { NetworkProps } from './function-role.ts';
export { NexusCaller } from './nexus-caller.ts';
export { NexusEndpoint } from './nexus-endpoint.ts';
export { NexusFunction, type NexusFunctionProps, type TemporalConnection } from './nexus-function.ts';
export { NexusGateway, type NexusGatewayAttributes, type NexusGatewayProps } from './nexus-gateway.ts';
