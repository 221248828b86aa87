// Runs a TypeScript program of this project: `node scripts/bootstrap.mjs scripts/start.ts [arguments]`.
//
// Plain JavaScript without dependencies, because it is what must work before node_modules exists: it checks
// Node's version, installs the npm packages where they are missing or not those of package-lock.json, and
// then runs the program in this process.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR_MIN = 20;
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Ends with a message that says what is wrong and what to run. */
function fail(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** Whether node_modules holds the versions that package-lock.json names. */
function packagesAreInstalled() {
  const installedFile = path.join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([name, { version, optional }]) => name === '' || optional || installed[name]?.version === version);
}

function installPackages() {
  console.log('• npm packages: npm ci');
  // Inside `npm run`, npm tells where it is; started by hand, it is found on PATH.
  const npm = process.env.npm_execpath;
  const ci = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  const { status, error } =
    npm === undefined
      ? spawnSync('npm', ci, { cwd: root, stdio: 'inherit' })
      : spawnSync(process.execPath, [npm, ...ci], { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail(`npm ci failed${error ? `: ${error.message}` : ''}. Its message is above; then run it again: npm ci`);
}

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  fail(`Node.js ${NODE_MAJOR_MIN} or later is needed; this is ${process.version}. Get it from https://nodejs.org`);
}
const [program, ...programArguments] = process.argv.slice(2);
if (program === undefined) fail('usage: node scripts/bootstrap.mjs <program.ts> [arguments]');
if (!packagesAreInstalled()) installPackages();

process.argv = [process.execPath, path.resolve(root, program), ...programArguments];
const { register } = await import('tsx/esm/api');
register();
await import(pathToFileURL(process.argv[1]).href);
