/** What the package holds for the server, and whether the host in it runs on this machine. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { Problem, ROOT } from './process.ts';

export const HOST_FILE = path.join(ROOT, 'build/host.so');
/** What the server needs, in one folder: the host, and the modules that it finds beside it. */
export const SERVER_FILES = [HOST_FILE, path.join(ROOT, 'build/hashmap.wasm'), path.join(ROOT, 'build/session.wasm')];
/** The oldest glibc that has what host.so needs: `npm pack` refuses to pack one that needs more. */
export const GLIBC_MIN = '2.28';

/** Where an ELF file says for which processor it is, and what it says there, by Node's names. */
const ELF_MACHINE_OFFSET = 18;
const ELF_MACHINES: Partial<Record<NodeJS.Architecture, number>> = { x64: 0x3e, arm64: 0xb7 };

const FROM_SOURCE = `Build it on this machine, from a clone of the project, with Rust and a C compiler: npm start
or run the server in a container: the package's docker/ has one for Redis and one for Valkey.`;

/** Which processor a shared library is for, by Node's name; undefined for one that is not known here. */
function processorOf(file: string): string | undefined {
  const bytes = Buffer.alloc(2);
  const descriptor = openSync(file, 'r');
  readSync(descriptor, bytes, 0, 2, ELF_MACHINE_OFFSET);
  closeSync(descriptor);
  return Object.entries(ELF_MACHINES).find(([, machine]) => machine === bytes.readUInt16LE())?.[0];
}

/** The version of this machine's glibc; undefined where the C library is another, as on Alpine. */
function glibc(): string | undefined {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

/** Whether version a is older than b: both are "major.minor". */
export function isOlder(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB);
}

/** Throws a Problem that says what to do where the package's host.so does not run. */
export function requirePlatform(): void {
  if (process.platform !== 'linux') {
    throw new Problem(`The host is for Linux; this is ${process.platform}. Run the server in a container: the package's docker/ has them.`);
  }
  const missing = SERVER_FILES.find((file) => !existsSync(file));
  if (missing !== undefined) throw new Problem(`${missing} is missing. In a clone of the project, build it: npm run build`);
  const processor = processorOf(HOST_FILE);
  if (processor !== process.arch) {
    throw new Problem(`${HOST_FILE} is for ${processor ?? 'another processor'}, this machine is ${process.arch}. ${FROM_SOURCE}`);
  }
  const version = glibc();
  if (version === undefined) throw new Problem(`${HOST_FILE} needs glibc; this system has another C library. ${FROM_SOURCE}`);
  if (isOlder(version, GLIBC_MIN)) {
    throw new Problem(`${HOST_FILE} needs glibc ${GLIBC_MIN} or later; this system has ${version}. ${FROM_SOURCE}`);
  }
}
