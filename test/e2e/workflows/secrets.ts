export async function keepSecret(password: string): Promise<string> {
  return `${password} is kept`;
}
