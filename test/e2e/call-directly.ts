/** Calls an operation over plain HTTP, as `curl` would, and returns its JSON result. */
export async function callDirectly(url: string, service: string, operation: string, input: unknown): Promise<unknown> {
  const response = await fetch(`${url}/${service}/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  if (response.status !== 200) throw new Error(`${operation} answered ${response.status}: ${await response.text()}`);
  return response.json();
}
