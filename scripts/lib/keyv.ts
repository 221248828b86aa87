/**
 * Keyv 6, which the store for Keyv is tested with, unpacked into .tools/. It works on Node.js 20, but its
 * package asks for 22: among this project's own packages it would have `npm ci` warn of that, and whoever
 * installs `keyv` on Node.js 20 gets 5. Pinned by its lock file.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ROOT, run, say } from './process.ts';
import { TOOLS_FOLDER } from './wheels.ts';

const MANIFEST_FOLDER = path.join(ROOT, 'test/fixtures/keyv-6');
const { dependencies } = JSON.parse(readFileSync(path.join(MANIFEST_FOLDER, 'package.json'), 'utf8')) as {
  dependencies: { keyv: string };
};
const FOLDER = path.join(TOOLS_FOLDER, `keyv-${dependencies.keyv}`);
const FILE = path.join(FOLDER, 'node_modules/keyv/dist/index.mjs');

export const TITLE = `Keyv ${dependencies.keyv}`;

/** Where its module is, or undefined when it has not been fetched. */
export function find(): string | undefined {
  return existsSync(FILE) ? FILE : undefined;
}

/** Fetches it unless it is there already. */
export function fetch(): { file: string } | { reason: string } {
  if (existsSync(FILE)) return { file: FILE };
  say(`${TITLE}: npm ci`);
  mkdirSync(TOOLS_FOLDER, { recursive: true });
  // npm takes a prefix behind a link for a package.
  const folder = mkdtempSync(path.join(realpathSync(TOOLS_FOLDER), 'download-'));
  try {
    cpSync(MANIFEST_FOLDER, folder, { recursive: true });
    const { status, stderr } = run('npm', ['ci', '--prefix', folder, '--ignore-scripts', '--engine-strict=false'], { quiet: true });
    if (status !== 0) return { reason: `npm could not install it: ${/^npm error (?!code )(.+)$/m.exec(stderr)?.[1] ?? stderr.trim()}` };
    rmSync(FOLDER, { recursive: true, force: true });
    renameSync(folder, FOLDER);
    return { file: FILE };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
