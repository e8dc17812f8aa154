/** What a server's settings are written for. */
export interface CallbackServer {
  /** As it says itself; undefined where it did not. */
  readonly version: string | undefined;
  /** Host of the frontend, as a callback can reach it. */
  readonly host: string;
  readonly httpPort: number;
}

/** The HTTP port of a frontend where nothing else is set. */
export const DEFAULT_HTTP_PORT = 7243;

const TEMPLATE = 'component.nexusoperations.callback.endpoint.template';
/** From 1.32 on, for operations that are not part of a workflow. */
const STANDALONE_TEMPLATE = 'nexusoperation.callback.endpoint.template';
const ALLOWED_UNTIL_1_31 = 'component.callbacks.allowedAddresses';
const ALLOWED = 'callback.allowedAddresses';

/** Both settings: who lacks the first one lacks the other as well. */
export function templateSettings(server: CallbackServer): readonly string[] {
  const { version, host, httpPort } = server;
  const url = `http://${host}:${httpPort}/namespaces/{{.NamespaceName}}/nexus/callback`;
  const templates = isFrom132(version) ? [TEMPLATE, STANDALONE_TEMPLATE] : [TEMPLATE];
  return lines(
    [
      ...templates.map((key): Setting => [key, url]),
      ...allowedKeys(version).map((key): Setting => [key, allowed(`${host}:${httpPort}`, true)]),
    ],
    httpPort,
  );
}

/** The setting that lets completions go to one address. */
export function allowedSettings(version: string | undefined, callbackUrl: URL): readonly string[] {
  const { protocol, port, hostname } = callbackUrl;
  const address = `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
  return lines(
    allowedKeys(version).map((key): Setting => [key, allowed(address, protocol === 'http:')]),
    undefined,
  );
}

type Setting = readonly [key: string, value: unknown];

function allowed(pattern: string, insecure: boolean) {
  return [{ Pattern: pattern, AllowInsecure: insecure }];
}

/** The key was renamed, and a server ignores what it does not know: one of unknown version gets both. */
function allowedKeys(version: string | undefined): readonly string[] {
  if (version === undefined) return [ALLOWED_UNTIL_1_31, ALLOWED];
  return isFrom132(version) ? [ALLOWED] : [ALLOWED_UNTIL_1_31];
}

function isFrom132(version: string | undefined): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  return major === undefined || Number(major) > 1 || Number(minor) >= 32;
}

/** For a server of one's own, and for the dev server of the CLI. */
function lines(settings: readonly Setting[], httpPort: number | undefined): readonly string[] {
  const json = (value: unknown) => JSON.stringify(value);
  return [
    '# a server of your own takes it within a minute from its dynamic configuration file:',
    "cat >> dynamicconfig.yaml <<'EOF'",
    ...settings.map(([key, value]) => `${key}: [{ value: ${json(value)} }]`),
    'EOF',
    '# the dev server takes it when it starts:',
    `temporal server start-dev${httpPort === undefined ? '' : ` --http-port ${httpPort}`} \\`,
    ...settings.map(
      ([key, value], index) =>
        `  --dynamic-config-value '${key}=${json(value)}'${index === settings.length - 1 ? '' : ' \\'}`,
    ),
  ];
}
