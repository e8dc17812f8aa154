import {
  AddPermissionCommand,
  GetPolicyCommand,
  RemovePermissionCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessApp, deployAccessApp, STACK } from './access-app.ts';
import type { RolePolicy } from './iam.ts';
import { type Permission, permissionsIn, policyOf } from './permission.ts';
import { PERMISSIONS, ROUTER_INVOKES } from './permission-table.ts';
import type { Probe } from './probes.ts';

/** Of the registration: with five of them kept for its answer, it takes two to be sure that it may not ask a handler. */
const GIVES_UP_AFTER_S = 7;

let app: AccessApp;
let policies: RolePolicy[];

const permissions = Object.entries(PERMISSIONS).flatMap(([role, rows]) =>
  rows.map(([action, resource, neededFor, probe]) => ({ permission: { role, action, resource }, neededFor, probe })),
);
const probed = permissions.flatMap(({ permission, probe }) =>
  typeof probe === 'string' ? [] : [{ ...permission, probe }],
);

beforeAll(async () => {
  app = await deployAccessApp('https://issuer.invalid');
  policies = await app.iam.rolePolicies(`${STACK}-`);
  const registration = { FunctionName: app.functionName('NexusRegistrationFunction') };
  await app.lambda.send(new UpdateFunctionConfigurationCommand({ ...registration, Timeout: GIVES_UP_AFTER_S }));
  await waitUntilFunctionUpdatedV2({ client: app.lambda, maxWaitTime: 60 }, registration);
});
afterAll(() => app.stop());

async function expectToWork({ prepare, call, works }: Probe): Promise<void> {
  await prepare?.(app);
  expect(await call(app)).toMatchObject(works);
}

describe('the policy of a handler', () => {
  it.each(ROUTER_INVOKES)(
    "lets the router's role invoke the alias of $handler, which nothing else does",
    async ({ handler, probe }) => {
      const alias = { FunctionName: app.functionName(handler), Qualifier: 'live' };
      await expectToWork(probe);
      const { Policy = '{}' } = await app.lambda.send(new GetPolicyCommand(alias));
      const [statement, ...others] = JSON.parse(Policy).Statement;
      expect(others).toEqual([]);
      const Principal = statement.Principal.AWS as string;
      expect(Principal).toMatch(/:role\/Access-NexusRouterRole/);
      await app.lambda.send(new RemovePermissionCommand({ ...alias, StatementId: statement.Sid }));
      try {
        expect(await probe.call(app)).toMatchObject(probe.fails);
      } finally {
        const Action = 'lambda:InvokeFunction';
        await app.lambda.send(new AddPermissionCommand({ ...alias, StatementId: statement.Sid, Action, Principal }));
      }
      await expectToWork(probe);
    },
  );
});

describe('the roles of a gateway and its handlers', () => {
  it('allow what is listed, each once, and nothing else', () => {
    const inWords = ({ role, action, resource }: Permission) => `${role}: ${action} on ${resource}`;
    expect(permissionsIn(policies).map(inWords).sort()).toEqual(
      permissions.map(({ permission }) => inWords(permission)).sort(),
    );
  });

  it.each(probed)('are enough, and not without $action on $resource of $role', async ({ probe, ...permission }) => {
    await expectToWork(probe);
    const { policy, without } = policyOf(permission, policies);
    await probe.prepare?.(app);
    await app.iam.putRolePolicy(without);
    try {
      expect(await probe.call(app)).toMatchObject(probe.fails);
    } finally {
      await app.iam.putRolePolicy(policy);
    }
    await expectToWork(probe);
  });
});
