/** The browser that the example is tested in: Debian's package, or what there is on PATH. */
import * as debian from './debian.ts';
import { findOnPath } from './process.ts';

export const TITLE = 'the example in Chromium';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Where the browser is, or undefined. */
export function find(): string | undefined {
  return NAMES.map(findOnPath).find((file) => file !== undefined);
}

/** As `find`; on Debian as root installs it where it is missing. */
export function fetch(): { file: string } | { reason: string } {
  const file = find() ?? (debian.install(['chromium']) ? find() : undefined);
  return file === undefined ? { reason: 'there is no chromium on PATH (Debian: apt-get install chromium)' } : { file };
}
