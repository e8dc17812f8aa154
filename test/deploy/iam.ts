import { AwsClient } from 'aws4fetch';
import type { Ministack } from '../toolchain/ministack.ts';
import { type Credentials, rootOf } from './emulated-api.ts';

export type IamCredentials = Extract<Credentials, { kind: 'iam' }>;

export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Sid?: string;
}

/** A policy that is part of a role. */
export interface RolePolicy {
  readonly role: string;
  readonly name: string;
  readonly statements: readonly Statement[];
}

/** IAM and STS of the emulator, as its root user. */
export interface Iam {
  /** The inline policies of all roles whose name begins so. Fails where one of these has a managed policy. */
  rolePolicies(prefix: string): Promise<RolePolicy[]>;
  /** Writes the policy; one without statements, which IAM does not take, goes. */
  putRolePolicy(policy: RolePolicy): Promise<void>;
  /** A session of the role. */
  assumeRole(roleArn: string): Promise<IamCredentials>;
  /** A new access key of the user. */
  createAccessKey(userName: string): Promise<IamCredentials>;
}

const VERSIONS = { iam: '2010-05-08', sts: '2011-06-15' };

export function createIam(emulator: Pick<Ministack, 'url' | 'env'>): Iam {
  const { kind: _, ...keys } = rootOf(emulator) as IamCredentials;

  async function ask(service: 'iam' | 'sts', action: string, params: Record<string, string> = {}): Promise<string> {
    const client = new AwsClient({ ...keys, service, region: emulator.env.AWS_REGION, retries: 0 });
    const body = new URLSearchParams({ Action: action, Version: VERSIONS[service], ...params });
    const response = await client.fetch(emulator.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: body.toString(),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${action} failed: ${text}`);
    return text;
  }

  async function policiesOf(role: string): Promise<RolePolicy[]> {
    const attached = await ask('iam', 'ListAttachedRolePolicies', { RoleName: role });
    if (textsOf('PolicyArn', attached).length > 0) throw new Error(`role ${role} has a managed policy: ${attached}`);
    const names = textsOf('member', await ask('iam', 'ListRolePolicies', { RoleName: role }));
    return Promise.all(
      names.map(async (name) => {
        const policy = await ask('iam', 'GetRolePolicy', { RoleName: role, PolicyName: name });
        const document = JSON.parse(decodeURIComponent(textOf('PolicyDocument', policy)));
        return { role, name, statements: document.Statement };
      }),
    );
  }

  const credentialsIn = (xml: string): IamCredentials => ({
    kind: 'iam',
    accessKeyId: textOf('AccessKeyId', xml),
    secretAccessKey: textOf('SecretAccessKey', xml),
  });

  return {
    async rolePolicies(prefix) {
      const names = textsOf('RoleName', await ask('iam', 'ListRoles', { MaxItems: '1000' }));
      return (await Promise.all(names.filter((name) => name.startsWith(prefix)).map(policiesOf))).flat();
    },

    async putRolePolicy({ role, name, statements }) {
      const policy = { RoleName: role, PolicyName: name };
      const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: statements });
      if (statements.length > 0) await ask('iam', 'PutRolePolicy', { ...policy, PolicyDocument });
      else await ask('iam', 'DeleteRolePolicy', policy);
    },

    async assumeRole(roleArn) {
      const xml = await ask('sts', 'AssumeRole', { RoleArn: roleArn, RoleSessionName: 'test' });
      return { ...credentialsIn(xml), sessionToken: textOf('SessionToken', xml) };
    },

    async createAccessKey(userName) {
      return credentialsIn(await ask('iam', 'CreateAccessKey', { UserName: userName }));
    },
  };
}

/** The texts of all elements of this name. None of those that are asked for has another in it, or a character escaped. */
function textsOf(element: string, xml: string): string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map(([, text = '']) => text);
}

function textOf(element: string, xml: string): string {
  const [text] = textsOf(element, xml);
  if (text === undefined) throw new Error(`there is no ${element} in ${xml}`);
  return text;
}
