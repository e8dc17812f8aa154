import { Lazy } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { COLLOCATED_ENDPOINTS } from '../src/handler/collocated.ts';
import { registerEndpoint } from './endpoint-entry.ts';
import { checkEndpoint, type EndpointOptions } from './endpoint-props.ts';
import { NexusCaller } from './nexus-caller.ts';
import { NexusFunction } from './nexus-function.ts';
import type { NexusGateway } from './nexus-gateway.ts';

/** Properties of {@link CollocatedEndpoint}. */
export interface CollocatedEndpointProps extends EndpointOptions {
  readonly gateway: NexusGateway;
  readonly name: string;
}

/** An endpoint whose requests the gateway's API hands straight to the handler. */
export class CollocatedEndpoint extends Construct {
  readonly endpointName: string;
  readonly url: string;
  readonly basicUrl: string;

  constructor(scope: Construct, id: string, props: CollocatedEndpointProps) {
    super(scope, id);
    const { gateway, name, handler, callers = [NexusCaller.basic(name), NexusCaller.anyIam()] } = props;
    checkEndpoint(props);
    if (!(handler instanceof NexusFunction)) {
      throw new Error(
        `endpoint "${name}" is collocated, and its handler is no NexusFunction of this app: the handler itself checks who may call, and is told so by its environment; use addEndpoint()`,
      );
    }
    this.endpointName = name;
    this.url = `${gateway.url}/nexus/endpoints/${name}/services`;
    this.basicUrl = `${gateway.url}/basic/nexus/endpoints/${name}/services`;
    letIn(handler, name, callers);
    gateway.addRoutes(`/nexus/endpoints/${name}/services/{proxy+}`, handler.alias);
    registerEndpoint(this, props, {});
  }
}

const endpointsOf = new WeakMap<NexusFunction, Record<string, string[]>>();

/** A function may serve several endpoints; its one variable names them all, whatever the order in which they are added. */
function letIn(handler: NexusFunction, name: string, callers: readonly NexusCaller[]): void {
  const principals = callers.map(({ principal }) => principal);
  const known = endpointsOf.get(handler);
  if (known) {
    known[name] = principals;
    return;
  }
  const endpoints = { [name]: principals };
  endpointsOf.set(handler, endpoints);
  handler.addEnvironment(COLLOCATED_ENDPOINTS, Lazy.string({ produce: () => JSON.stringify(endpoints) }));
}
