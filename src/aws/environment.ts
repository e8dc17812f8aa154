/** The value of an environment variable that a function cannot do without; fails naming it where it is not set. */
export function requiredVariable(name: string, whatFor: string, env: NodeJS.ProcessEnv = process.env): string {
  const value = env[name];
  if (value) return value;
  throw new Error(
    `${name} is not set; it takes ${whatFor}, and the constructs of nexus-lambda/cdk set it: deploy the function through them`,
  );
}
