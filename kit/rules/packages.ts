export function restoreGlobals(text: string): string {
  return text;
}
