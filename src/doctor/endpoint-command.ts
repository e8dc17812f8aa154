import { basicTarget, basicUser, type Deployment } from './deployment.ts';
import { shellWord } from './shell-word.ts';
import { shownUrl } from './target.ts';

/** The lines that make a Nexus endpoint in Temporal, or give one another target. */
export function endpointCommand(
  verb: 'create' | 'update',
  name: string,
  deployment: Deployment,
  { address }: { readonly address: string },
): readonly string[] {
  const target = basicTarget(deployment);
  const takesPassword = deployment.auth.kind === 'basic' || target.prefix.endsWith('/basic');
  const url = shellWord(shownUrl(target, takesPassword ? basicUser(deployment) : undefined));
  return [
    `temporal operator nexus endpoint ${verb} --name ${shellWord(name)} --target-url ${url} --address ${address}`,
    ...(takesPassword ? ['# with the password in place of PASSWORD, percent-encoded'] : []),
  ];
}
