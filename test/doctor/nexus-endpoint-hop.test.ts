import { expect, it } from 'vitest';
import type { Deployment } from '../../src/doctor/deployment.ts';
import { cannotList, nexusEndpointFinding, type RegisteredEndpoint } from '../../src/doctor/nexus-endpoint-hop.ts';
import { basic, dev, signed } from './deployments.ts';

const AT = { address: '127.0.0.1:7233' };
const API = 'abc.execute-api.eu-west-1.amazonaws.com';
const PATH = '/nexus/endpoints/shop/services';
const TARGET = `https://shop:PASSWORD@${API}/basic${PATH}`;

function find(endpoints: readonly RegisteredEndpoint[], deployment: Deployment) {
  const { finding, name } = nexusEndpointFinding(endpoints, deployment, AT);
  expect(JSON.stringify(finding)).not.toMatch(/s3cret|0ld/);
  return { ...finding, name };
}

it.each<[string, string, Deployment, string]>([
  ['the same credentials', `https://shop:s3cret@${API}/basic${PATH}`, basic, 'with the same credentials'],
  ['a slash at its end', `https://shop:s3cret@${API}/basic${PATH}/`, basic, 'with the same credentials'],
  [
    'the port of its scheme',
    `https://shop:s3cret@${API.toUpperCase()}:443/basic${PATH}`,
    basic,
    'with the same credentials',
  ],
  ['another password', `https://shop:0ld@${API}/basic${PATH}`, basic, 'with another password'],
  ['another user', `https://other:0ld@${API}/basic${PATH}`, basic, 'with the credentials of another user, "other"'],
  [
    'the Basic route of what is called with a signature',
    `https://shop:s3cret@${API}/basic${PATH}`,
    signed,
    `at https://${API}/basic${PATH}, with the credentials of user "shop"`,
  ],
  ['another name of this machine', `http://localhost:9233${PATH}`, dev, 'without credentials'],
])('takes a target with %s for the same endpoint', (_what, url, deployment, says) => {
  expect(find([{ name: 'worker' }, { name: 'shop', url }], deployment)).toMatchObject({
    status: 'ok',
    name: 'shop',
    says: expect.stringContaining(says),
  });
});

it('prefers the endpoint with the credentials that were given', () => {
  const urls = ['other:x', 'shop:s3cret', 'third:y'].map((user) => `https://${user}@${API}/basic${PATH}`);
  expect(
    find(
      urls.map((url, index) => ({ name: `e${index}`, url })),
      basic,
    ).name,
  ).toBe('e1');
});

it('says the line that makes the endpoint where there is none', () => {
  expect(find([], basic)).toEqual({
    hop: 'nexus-endpoint',
    status: 'fail',
    name: undefined,
    says: 'Temporal has no Nexus endpoint with this URL',
    why: 'It has none at all.',
    type: [
      `temporal operator nexus endpoint create --name shop --target-url ${TARGET} --address 127.0.0.1:7233`,
      '# with the password in place of PASSWORD, percent-encoded',
    ],
  });
  expect(find([{ name: 'other', url: 'https://elsewhere.example/' }], dev)).toMatchObject({
    why: 'It has "other".',
    type: [
      `temporal operator nexus endpoint create --name shop --target-url http://127.0.0.1:9233${PATH} --address 127.0.0.1:7233`,
    ],
  });
});

it('gives Temporal the Basic route of what is called with a signature', () => {
  expect(find([], signed).type?.[0]).toContain(`--target-url ${TARGET}`);
});

it.each<[string, RegisteredEndpoint, Deployment, string]>([
  [
    'the same name and another URL',
    { name: 'shop', url: `https://old.example${PATH}` },
    dev,
    'with another URL: https://old.example',
  ],
  [
    'the URL without /basic',
    { name: 'mine', url: `https://shop:s3cret@${API}${PATH}` },
    basic,
    'Temporal knows "mine" with another URL',
  ],
  [
    'the URL without credentials',
    { name: 'mine', url: `https://${API}/basic${PATH}` },
    basic,
    'and without credentials',
  ],
  ['a URL that wants a signature', { name: 'mine', url: `https://${API}${PATH}` }, signed, 'and without credentials'],
  ['the same name and a worker', { name: 'shop' }, dev, "whose target is a worker's task queue"],
])('says the line that moves an endpoint with %s', (_what, registered, deployment, says) => {
  const finding = find([registered], deployment);
  expect(finding).toMatchObject({ status: 'fail', name: undefined, says: expect.stringContaining(says) });
  const url = deployment === dev ? `http://127.0.0.1:9233${PATH}` : TARGET;
  expect(finding.type?.[0]).toBe(
    `temporal operator nexus endpoint update --name ${registered.name} --target-url ${url} --address 127.0.0.1:7233`,
  );
});

it('leaves alone an endpoint of another name on another host: it may be of another stage', () => {
  expect(find([{ name: 'shop-staging', url: `https://staging.example${PATH}` }], dev).type?.[0]).toContain(
    'create --name shop ',
  );
});

it('says why the list is not to be had', () => {
  expect(cannotList({ code: 12, details: 'unknown service' }, { address: 'ns.a1b2.tmprl.cloud:7233' })).toMatchObject({
    why: expect.stringContaining('Temporal Cloud offers no external endpoints'),
  });
  expect(cannotList({ code: 7, details: 'Request unauthorized.' }, AT)).toMatchObject({
    says: 'the Nexus endpoints of 127.0.0.1:7233 cannot be listed: Request unauthorized. (gRPC status 7)',
    type: ['temporal operator nexus endpoint list --address 127.0.0.1:7233'],
  });
});
