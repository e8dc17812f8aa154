export async function reserveItem({ item }: { item: string }): Promise<string> {
  return `${item} is reserved`;
}
