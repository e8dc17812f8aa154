import { subscribe } from 'node:diagnostics_channel';

/**
 * Ends this Lambda environment after its current answer was taken, so that a handler that ran past its deadline does
 * not go on inside somebody else's request.
 *
 * Lambda freezes an environment as soon as its runtime asks for the next event, so a timer set now would fire inside
 * the next request and take that one down. The one moment between is when the Runtime API has acknowledged the
 * answer; Node's `http.client.response.finish` diagnostics channel tells it. Lambda then starts a new environment.
 */
export function retireLambdaEnvironment(exit: (code: number) => void = process.exit): void {
  subscribe('http.client.response.finish', (message) => {
    const { request } = message as { request?: { path?: string } };
    if (request?.path !== undefined && ANSWER_PATH.test(request.path)) exit(0);
  });
}

/** The call with which a runtime hands in its answer (AWS Lambda Runtime API, 2018-06-01). */
const ANSWER_PATH = /\/runtime\/invocation\/[^/]+\/response$/;
