import { expect, it } from 'vitest';
import { allowedSettings, templateSettings } from '../../src/doctor/callback-settings.ts';

const TEMPLATE = 'component.nexusoperations.callback.endpoint.template';
const STANDALONE = 'nexusoperation.callback.endpoint.template';
const OLD_ALLOWED = 'component.callbacks.allowedAddresses';
const ALLOWED = 'callback.allowedAddresses';

/** Keys in the lines for a configuration file. */
const keysIn = (lines: readonly string[]) => lines.flatMap((line) => /^([\w.]+): \[/.exec(line)?.[1] ?? []);

it.each([
  ['1.29.1', [TEMPLATE], [OLD_ALLOWED]],
  ['1.31.5', [TEMPLATE], [OLD_ALLOWED]],
  ['1.32.0', [TEMPLATE, STANDALONE], [ALLOWED]],
  ['1.33.0-rc.1', [TEMPLATE, STANDALONE], [ALLOWED]],
  ['2.0.0', [TEMPLATE, STANDALONE], [ALLOWED]],
  [undefined, [TEMPLATE, STANDALONE], [OLD_ALLOWED, ALLOWED]],
])('names the settings of %s as it knows them', (version, templates, allowed) => {
  expect(keysIn(templateSettings({ version, host: 'frontend', httpPort: 7243 }))).toEqual([...templates, ...allowed]);
  expect(keysIn(allowedSettings(version, new URL('http://frontend:7243/x')))).toEqual(allowed);
});

it('writes them for a file and for the dev server', () => {
  expect(templateSettings({ version: '1.29.1', host: '127.0.0.1', httpPort: 7243 })).toEqual([
    '# a server of your own takes it within a minute from its dynamic configuration file:',
    "cat >> dynamicconfig.yaml <<'EOF'",
    `${TEMPLATE}: [{ value: "http://127.0.0.1:7243/namespaces/{{.NamespaceName}}/nexus/callback" }]`,
    `${OLD_ALLOWED}: [{ value: [{"Pattern":"127.0.0.1:7243","AllowInsecure":true}] }]`,
    'EOF',
    '# the dev server takes it when it starts:',
    'temporal server start-dev --http-port 7243 \\',
    `  --dynamic-config-value '${TEMPLATE}="http://127.0.0.1:7243/namespaces/{{.NamespaceName}}/nexus/callback"' \\`,
    `  --dynamic-config-value '${OLD_ALLOWED}=[{"Pattern":"127.0.0.1:7243","AllowInsecure":true}]'`,
  ]);
});

it('allows no plain HTTP where the callback has TLS', () => {
  expect(allowedSettings('1.32.1', new URL('https://frontend.example/x')).join('\n')).toContain(
    `${ALLOWED}: [{ value: [{"Pattern":"frontend.example:443","AllowInsecure":false}] }]`,
  );
});
