import { basicTarget, DEPLOY, type Deployment, isOnAws, signedTarget } from './deployment.ts';
import { type Advice, type Finding, fail, ok } from './finding.ts';
import type { ReadAnswer } from './read-answer.ts';
import { shellWord } from './shell-word.ts';
import { shownUrl } from './target.ts';

/** Whether the URL's path leads to the endpoint. */
export function routeFinding(answer: ReadAnswer, deployment: Deployment): Finding {
  const { target } = deployment;
  switch (answer.from) {
    case 'handler':
      return ok('route', `${new URL(target.baseUrl).pathname} leads to endpoint "${target.endpoint}"`);
    case 'nexus':
      return ofNexus(answer, deployment);
    case 'nobody':
      return ofSilence(answer);
    case 'front':
      return ofFront(answer, deployment);
  }
}

function ofNexus(
  { type, message }: { readonly type: string; readonly message: string },
  deployment: Deployment,
): Finding {
  const { endpoint } = deployment.target;
  if (type === 'NOT_FOUND' && /no endpoint is named/.test(message)) {
    const named = /; there is "([^"]+)"/.exec(message)?.[1];
    return fail('route', message, {
      why: 'The path is right, and the endpoint in it is not known. Temporal ends an operation that is answered so.',
      type:
        named === undefined
          ? [`# add it: gateway.addEndpoint('${endpoint}', { … })`, DEPLOY]
          : [`npx nexus-lambda doctor --url ${shellWord(withEndpoint(deployment, named))}`],
    });
  }
  if (type === 'NOT_FOUND' && !/no (?:service|operation)|has no operation/.test(message)) {
    return fail('route', message, {
      why: 'A router answers there, and this is none of its paths.',
      type: formsOfUrl(deployment),
    });
  }
  if (/registry of endpoints could not be read/.test(message)) {
    return fail('route', message, {
      why: 'The router runs and cannot read its table: a permission of its role, or DynamoDB itself.',
      type: logsOf('router'),
    });
  }
  return ok('route', `${new URL(deployment.target.baseUrl).pathname} leads to endpoint "${endpoint}"`);
}

function ofSilence({ code, message, waitedMs }: Extract<ReadAnswer, { from: 'nobody' }>): Finding {
  if (code === 'ETIMEDOUT') {
    return fail('route', `no HTTP answer within ${Math.round(waitedMs / 1000)} s`, {
      why: 'The connection is taken and nothing answers on it. Temporal waits ten seconds, and then tries again.',
      type: ['npx nexus-lambda doctor --timeout 40 …'],
    });
  }
  if (/^HPE_|HTTPParserError|EPROTO|UND_ERR_SOCKET|ECONNRESET/.test(code)) {
    return fail('route', `what listens there speaks no HTTP of this kind (${code})`, {
      why: 'A port with TLS was asked without, or it belongs to another service, such as the gRPC port of a Temporal server.',
      type: ['# look at the scheme and the port in --url'],
    });
  }
  return fail('route', `the request broke off: ${message} (${code})`, { why: 'The connection is made and then lost.' });
}

function ofFront(answer: Extract<ReadAnswer, { from: 'front' }>, deployment: Deployment): Finding {
  const { status, headers, message } = answer;
  const what = `${status} ${headers['content-type'] ?? 'without a type'}`;
  if (status >= 300 && status < 400) {
    return fail('route', `redirected to ${headers.location ?? 'nowhere'} (${status})`, {
      why: 'Temporal does not follow a redirect with its request: it would arrive as a GET without a body.',
      type: [`npx nexus-lambda doctor --url ${shellWord(directUrl(headers.location, deployment))}`],
    });
  }
  if (status === 404) {
    return fail('route', `nothing is at this path: ${message} (${status})`, {
      why: isOnAws(deployment)
        ? 'The API has no such route. /basic exists where the gateway was given basicAuthSecret, /jwt where it was given jwt.'
        : 'What listens there has no such path.',
      type: formsOfUrl(deployment),
    });
  }
  if (status === 429) {
    return fail('route', `throttled before our code: ${message} (429)`, {
      why: "API Gateway's own limit of the account or the stage is reached. To Temporal this is a failure of the endpoint.",
      type: ['aws service-quotas get-service-quota --service-code apigateway --quota-code L-8A5B8E43'],
    });
  }
  if (status >= 500) return fail('route', `the front door failed: ${message} (${status})`, ofServerError(deployment));
  return fail('route', `something else answers there: ${what}: ${message}`, {
    why: 'The answer is none of a Nexus endpoint: another program, a proxy or a load balancer has this address.',
    type: formsOfUrl(deployment),
  });
}

function ofServerError(deployment: Deployment): Advice {
  if (!isOnAws(deployment)) return { why: 'A proxy in front of the endpoint does not reach it, or failed itself.' };
  const basic = deployment.target.prefix.endsWith('/basic');
  return {
    why: `API Gateway got no answer from ${basic ? 'the authorizer or the router' : 'the router'}: it failed to start, or may not be invoked.`,
    type: [...logsOf('router'), ...(basic ? logsOf('authorizer') : [])],
  };
}

/** Our functions have generated names. */
function logsOf(what: 'router' | 'authorizer'): string[] {
  const description = { router: 'Routes Nexus requests', authorizer: 'Checks HTTP Basic' }[what];
  return [
    `aws lambda list-functions --query "Functions[?starts_with(Description, '${description}')].LoggingConfig.LogGroup" --output text`,
    'aws logs tail LOG_GROUP --since 10m',
  ];
}

function formsOfUrl(deployment: Deployment): string[] {
  const { target, auth } = deployment;
  const user = auth.kind === 'basic' ? auth.user : undefined;
  const bare = signedTarget(deployment);
  const forms = isOnAws(deployment)
    ? [shownUrl(bare), shownUrl(basicTarget({ target: bare, auth }), user ?? target.endpoint)]
    : [shownUrl(bare, user)];
  return forms.map((url) => `npx nexus-lambda doctor --url ${shellWord(url)}`);
}

function withEndpoint({ target, auth }: Deployment, endpoint: string): string {
  const { baseUrl } = target;
  const named = baseUrl.replace(/\/endpoints\/[^/]+\/services$/, `/endpoints/${encodeURIComponent(endpoint)}/services`);
  return shownUrl({ ...target, baseUrl: named }, auth.kind === 'basic' ? auth.user : undefined);
}

/** The base URL that a redirect leads to, where it says one. */
function directUrl(location: string | undefined, { target, auth }: Deployment): string {
  const user = auth.kind === 'basic' ? auth.user : undefined;
  if (location === undefined || !URL.canParse(location, target.baseUrl)) return shownUrl(target, user);
  const { origin, pathname } = new URL(location, target.baseUrl);
  const base = /^.*\/nexus\/endpoints\/[^/]+\/services/.exec(pathname)?.[0];
  return base === undefined ? shownUrl(target, user) : shownUrl({ ...target, baseUrl: `${origin}${base}` }, user);
}
