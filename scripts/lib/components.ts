/**
 * What others have written and this project uses: crates of Cargo.lock and npm packages of package-lock.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { mustRun, ROOT } from './process.ts';

export interface Component {
  kind: 'cargo' | 'npm';
  name: string;
  version: string;
  /** an SPDX expression; empty when it names none */
  licence: string;
  /** whether it is in the package: linked into host.so */
  isShipped: boolean;
  /**
   * of the file that a registry serves, in hexadecimal; undefined for npm packages, whose lock file has
   * another hash
   */
  sha256?: string;
  /** where its files are; undefined when they are not here */
  folder?: string;
  /** purls of the components that it uses and that are in the package */
  uses: string[];
}

interface CargoMetadata {
  packages: {
    id: string;
    name: string;
    version: string;
    license: string | null;
    manifest_path: string;
    source: string | null;
    targets: { kind: string[] }[];
  }[];
  resolve: { nodes: { id: string; deps: { pkg: string; dep_kinds: { kind: string | null }[] }[] }[] };
}

/** The name by which the world knows it: "pkg:cargo/wasmtime@48.0.8". */
export function purl({ kind, name, version }: Pick<Component, 'kind' | 'name' | 'version'>): string {
  return `pkg:${kind}/${name.replace('@', '%40')}@${version}`;
}

function cargoMetadata(): CargoMetadata {
  const target = /^host: (.*)$/m.exec(mustRun('rustc', ['-vV'], { quiet: true }))?.[1] ?? '';
  const printed = mustRun('cargo', ['metadata', '--format-version', '1', '--locked', '--filter-platform', target], { quiet: true });
  return JSON.parse(printed) as CargoMetadata;
}

/**
 * The crates whose code is in host.so: what it depends on when it runs, without macros and what only they
 * need.
 */
function linkedCrates({ packages, resolve }: CargoMetadata): Map<string, string[]> {
  const isMacro = new Map(packages.map(({ id, targets }) => [id, targets.some(({ kind }) => kind.includes('proc-macro'))]));
  const uses = new Map(
    resolve.nodes.map(({ id, deps }) => [
      id,
      deps
        .filter(({ pkg, dep_kinds: kinds }) => kinds.some(({ kind }) => kind === null) && isMacro.get(pkg) !== true)
        .map(({ pkg }) => pkg),
    ]),
  );
  const linked = new Map<string, string[]>();
  const visit = (id: string) => {
    if (linked.has(id)) return;
    linked.set(id, uses.get(id) ?? []);
    uses.get(id)?.forEach(visit);
  };
  for (const { id, name, source } of packages) if (name === 'host' && source === null) visit(id);
  return linked;
}

/**
 * The crates of Cargo.lock for this platform, but the project's own. Asks cargo, without the network where
 * the crates are here.
 */
export function crates(): Component[] {
  const metadata = cargoMetadata();
  const linked = linkedCrates(metadata);
  const purls = new Map(metadata.packages.map((crate) => [crate.id, purl({ kind: 'cargo', ...crate })]));
  const lock = readFileSync(path.join(ROOT, 'Cargo.lock'), 'utf8');
  const checksums = new Map(
    [...lock.matchAll(/name = "(.*)"\nversion = "(.*)"\nsource = .*\nchecksum = "(.*)"/g)].map(([, name, version, sum]) => [
      `${name}@${version}`,
      sum,
    ]),
  );
  return metadata.packages
    .filter(({ source }) => source !== null)
    .map(({ id, name, version, license, manifest_path: manifest }) => ({
      kind: 'cargo',
      name,
      version,
      licence: license ?? '',
      isShipped: linked.has(id),
      sha256: checksums.get(`${name}@${version}`),
      folder: path.dirname(manifest),
      uses: (linked.get(id) ?? []).map((used) => purls.get(used) ?? ''),
    }));
}

/** The crates that host.so takes itself, by their purls. */
export function directCrates(): string[] {
  const manifest = readFileSync(path.join(ROOT, 'host/Cargo.toml'), 'utf8').split('[dependencies]')[1] ?? '';
  return [...manifest.matchAll(/^([\w-]+) = (?:\{ version = )?"=([\d.]+)"/gm)].map(([, name = '', version = '']) =>
    purl({ kind: 'cargo', name, version }),
  );
}

/**
 * The npm packages of package-lock.json, on whatever platform. None is in the package: its client asks for
 * some of them as peers.
 */
export function npmPackages(): Component[] {
  const lock = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { name?: string; version: string; license?: string }>;
  };
  return Object.entries(lock.packages)
    .filter(([folder]) => folder !== '')
    .map(([folder, { name, version, license }]) => ({
      kind: 'npm',
      name: name ?? folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      licence: license ?? '',
      isShipped: false,
      folder: existsSync(path.join(ROOT, folder)) ? path.join(ROOT, folder) : undefined,
      uses: [],
    }));
}

/** The licences and notices that come with it, each the text of a file. */
export function licenceTexts({ folder }: Component): string[] {
  if (folder === undefined) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(LICEN[CS]E|COPYING|NOTICE|UNLICENSE)/i.test(entry.name))
    .map(({ name }) => readFileSync(path.join(folder, name), 'utf8').trim())
    .sort();
}
