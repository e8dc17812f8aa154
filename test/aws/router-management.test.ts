import { describe, expect, it } from 'vitest';
import { type RouterManagementDeps, routerManagement } from '../../src/aws/router-management.ts';
import { toLambdaResult } from '../../src/handler/lambda-event.ts';
import { isManagementPath } from '../../src/router/management-path.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { bodyJson } from '../handler/requests.ts';

const OPERATOR = 'iam:arn:aws:iam::123456789012:role/Operator';
const PATH = '/nexus/manage/operations';

/** The management API of a gateway in which nothing is queued, so that nothing of AWS is asked. */
function setUp(deps: Partial<RouterManagementDeps> = {}) {
  const settled: string[] = [];
  const get = async () => undefined;
  const manage = routerManagement({
    administrators: [OPERATOR.replace('role/', 'role/with/a/path/')],
    operationsTable: undefined,
    endpointsTable: 'endpoints',
    emit: () => {},
    endpoints: { get, getLatest: get, settle: async () => void settled.push('settled') },
    invoker: { invoke: () => Promise.reject(new Error('nothing is to be invoked')) },
    logger: recordingLogger().logger,
    ...deps,
  });
  async function ask(principal: string, { path = PATH, gateway = 'http-api' as 'http-api' | 'function-url' } = {}) {
    const answer = await manage(
      { method: 'GET', path, query: '', headers: {}, body: new Uint8Array() },
      { principal, gateway },
    );
    const { message } = bodyJson(toLambdaResult(answer)) as { message: string };
    return { status: answer.status, message };
  }
  return { ask, settled };
}

describe('the management API of a gateway', () => {
  it('says to an administrator that nothing is queued, and how that is changed', async () => {
    const { ask, settled } = setUp();
    expect(await ask(OPERATOR)).toEqual({
      status: 501,
      message: expect.stringContaining('`queuedOperations` of addEndpoint()'),
    });
    expect(await ask(OPERATOR, { path: `${PATH}/count` })).toMatchObject({ status: 501 });
    expect(settled).toEqual(['settled', 'settled']);
  });

  it('has nothing at other paths', async () => {
    expect(await setUp().ask(OPERATOR, { path: '/nexus/manage/anything' })).toEqual({
      status: 404,
      message: expect.stringMatching(/^there is no "\/nexus\/manage\/anything"; there is \/nexus\/manage\/operations/),
    });
  });

  it.each([
    [
      'another role',
      'iam:arn:aws:iam::123456789012:role/Other',
      /is not among the administrators of this gateway; .*grantManage/,
    ],
    ['a role of another account', 'iam:arn:aws:iam::210987654321:role/Operator', /is not among the administrators/],
    ['a Basic user', 'basic:shop', /that takes an AWS signature, on the route without "\/basic"$/],
    ['a Basic user of an administrator’s name', `basic:${OPERATOR}`, /that takes an AWS signature/],
    ['the subject of a token', 'jwt:ada', /that takes an AWS signature, on the route without "\/jwt"$/],
    ['the dev server’s principal', 'local', /that takes an AWS signature/],
  ])('is closed to %s, whatever is asked for', async (_who, principal, message) => {
    for (const path of [PATH, `${PATH}/count`, '/nexus/manage/anything']) {
      expect(await setUp().ask(principal, { path })).toEqual({ status: 403, message: expect.stringMatching(message) });
    }
  });

  it('is closed to all where there are no administrators, and says how there come to be some', async () => {
    const { ask } = setUp({ administrators: [] });
    for (const principal of [OPERATOR, 'local', 'basic:shop']) expect((await ask(principal)).status).toBe(403);
    expect((await ask(OPERATOR)).message).toMatch(
      /^this gateway has no administrators: .*`administrators` of the NexusGateway/,
    );
  });

  it('takes whomever IAM lets through where the deployer says so, and nobody else', async () => {
    const { ask } = setUp({ administrators: ['iam:*'] });
    expect((await ask('iam:arn:aws:iam::1:user/any')).status).toBe(501);
    expect((await ask('basic:shop')).status).toBe(403);
  });

  it('is not at the Function URL, whose permission is for all paths', async () => {
    const { ask } = setUp({ administrators: ['iam:*'] });
    expect(await ask(OPERATOR, { gateway: 'function-url' })).toEqual({
      status: 403,
      message: 'a gateway is managed at the URL of its API, and not at the Function URL',
    });
  });

  it('is not at a path that a policy for an endpoint allows, since its `*` takes slashes', async () => {
    const { ask } = setUp({ administrators: ['iam:*'] });
    expect(await ask(OPERATOR, { path: `${PATH}/nexus/endpoints/shop/services/a` })).toMatchObject({ status: 403 });
  });
});

it.each([
  ['/nexus/manage', true],
  ['/nexus/manage/', true],
  ['/nexus/manage/operations/count', true],
  ['/basic/nexus/manage/operations', true],
  ['/a/b/nexus/manage/operations', true],
  ['/nexus/manager', false],
  ['//nexus/manage/operations', false],
  ['/nexus/nexus/manage/operations', false],
  ['/nexus/endpoints/shop/services/nexus/manage/operations', false],
  ['/nexus/endpoints/../manage/operations', false],
  ['/a/b/c/nexus/manage/operations', false],
  ['/NEXUS/manage/operations', false],
])('takes %s for a path of the management API: %s', (path, isOne) => {
  expect(isManagementPath(path)).toBe(isOne);
});
