export { CollocatedEndpoint, type CollocatedEndpointProps } from './collocated-endpoint.ts';
export type { EndpointOptions, EndpointProps, INexusGateway, NexusEndpointProps } from './endpoint-props.ts';
export type { NetworkProps } from './function-role.ts';
export type { NexusGatewayAttributes, NexusGatewayProps } from './gateway-props.ts';
export { NexusCaller } from './nexus-caller.ts';
export { NexusEndpoint } from './nexus-endpoint.ts';
export { NexusFunction, type NexusFunctionProps, type TemporalConnection } from './nexus-function.ts';
export { NexusGateway } from './nexus-gateway.ts';
