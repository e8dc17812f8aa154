import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Which rooms of src/ each room may import, besides itself: data flows one way. */
const ROOMS: Record<string, readonly string[]> = {
  nexus: [],
  handler: ['nexus'],
  operations: ['handler', 'nexus'],
  router: ['operations', 'handler', 'nexus'],
  temporal: ['handler', 'nexus'],
  aws: ['router', 'operations', 'handler', 'nexus'],
  local: ['router', 'operations', 'handler', 'nexus', 'temporal', 'index.ts'],
  client: ['nexus'],
  testing: ['handler', 'nexus', 'temporal'],
  doctor: ['router', 'nexus', 'temporal'],
  cli: ['doctor', 'local', 'router', 'operations', 'nexus'],
  'index.ts': ['handler'],
};

/** Packages that only one room may import. */
const OWNERS: readonly { readonly pattern: RegExp; readonly rooms: readonly string[] }[] = [
  { pattern: /^@temporalio\//, rooms: ['temporal'] },
  { pattern: /^@aws-sdk\/(?!credential-providers$)/, rooms: ['aws'] },
  { pattern: /^@aws-sdk\/credential-providers$/, rooms: ['doctor'] },
  { pattern: /^@aws-lambda-powertools\/(?!idempotency)/, rooms: ['aws'] },
  // It loads no AWS client but with its layer for DynamoDB.
  { pattern: /^@aws-lambda-powertools\/idempotency(?:\/persistence)?$/, rooms: ['router', 'aws', 'local'] },
  { pattern: /^@aws-lambda-powertools\/idempotency\/dynamodb$/, rooms: ['aws'] },
  { pattern: /^aws4fetch$/, rooms: ['doctor'] },
  { pattern: /^@middy\//, rooms: ['handler'] },
  { pattern: /^commander$/, rooms: ['cli'] },
  { pattern: /^esbuild$/, rooms: ['local'] },
  { pattern: /^node:/, rooms: ['handler', 'operations', 'temporal', 'aws', 'local', 'doctor', 'cli', 'testing'] },
];

interface Import {
  readonly file: string;
  readonly room: string;
  readonly specifier: string;
}

const imports: Import[] = globSync('src/**/*.ts', { cwd: root }).flatMap((file) => {
  const source = readFileSync(join(root, file), 'utf8');
  const specifiers = [...source.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*'([^']+)'/gm)].map((match) => match[1] ?? '');
  return specifiers.map((specifier) => ({ file, room: roomOf(file), specifier }));
});

function roomOf(file: string): string {
  return relative('src', file).split('/')[0] ?? '';
}

/** What is loaded with a file: files and packages. What it imports by a call comes later. */
function staticImports(entry: string) {
  const packages = new Set<string>();
  const files = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const source = readFileSync(join(root, file), 'utf8');
    for (const [, clause = '', specifier = ''] of source.matchAll(/^(?:import|export)\s([^;]*?)from '([^']+)';/gms)) {
      if (clause.startsWith('type ')) continue;
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier));
      else packages.add(specifier.replace(/^(aws-cdk-lib)\/.*$/, '$1'));
    }
  };
  visit(entry);
  return { files: [...files], packages: [...packages] };
}

describe('the rooms of src/', () => {
  it('import only rooms below them', () => {
    const crossings = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ file, room, specifier }) => ({ file, room, target: roomOf(join(dirname(file), specifier)) }))
      .filter(({ room, target }) => room !== target);
    expect(crossings.length).toBeGreaterThan(10);
    expect(crossings.filter(({ room, target }) => !ROOMS[room]?.includes(target))).toEqual([]);
  });

  it('leave each package to the room it belongs to', () => {
    const packages = imports.filter(({ specifier }) => !specifier.startsWith('.'));
    expect(packages.length).toBeGreaterThan(10);
    const strays = packages.filter(({ room, specifier }) =>
      OWNERS.some(({ pattern, rooms }) => pattern.test(specifier) && !rooms.includes(room)),
    );
    expect(strays).toEqual([]);
  });

  it("touch the SDK's internal handler context in one file only", () => {
    const internal = imports.filter(({ specifier }) => specifier.startsWith('@temporalio/nexus/lib/'));
    expect(internal.map(({ file }) => file)).toEqual(['src/temporal/handler-context.ts']);
  });
});

describe('the router on AWS', () => {
  it('loads nothing of queued delivery and management for a direct request', () => {
    const files = staticImports('src/aws/router-handler.ts').files.map((file) => file.replace('src/', ''));
    expect(files).toContain('router/router.ts');
    const lazy = ['aws/router-durable.ts', 'aws/router-management.ts', 'aws/aws-operations.ts'];
    const heavy = /^router\/(?:operation-|durable-delivery)|^operations\/(?:operations|transitions|hand-work)/;
    expect(files.filter((file) => lazy.includes(file) || heavy.test(file))).toEqual([]);
  });
});

describe('the constructs', () => {
  it('load nothing at synth but themselves, what they share with the runtime, and the packages of the CDK', () => {
    const { files, packages } = staticImports('cdk/index.ts');
    expect(files.filter((file) => file.startsWith('src/')).length).toBeGreaterThan(3);
    expect(packages.filter((name) => !name.startsWith('node:')).sort()).toEqual([
      'aws-cdk-lib',
      'constructs',
      'nexus-rpc',
    ]);
  });
});
