/**
 * `npm pack`, before it packs: builds what is missing, checks that the host is fit for other machines, and
 * writes what tells about the package: build/THIRD-PARTY-LICENSES.txt, build/sbom.cdx.json (CycloneDX) and
 * build/SHA256SUMS. Same sources, same bytes.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt, HOST, PACKAGE, WASM } from './lib/build.ts';
import { crates, directCrates, licenceTexts, purl, type Component } from './lib/components.ts';
import { isMet, SHIPPED } from './lib/licences.ts';
import { checkPortable } from './lib/portable.ts';
import { main, mustRun, Problem, ROOT, say } from './lib/process.ts';

const BUILD = path.join(ROOT, 'build');

interface Manifest {
  name: string;
  version: string;
  description: string;
  license: string;
  files: string[];
}

/** Throws a Problem that names the components of the package whose licence is none of those that it takes. */
function checkLicences(components: Component[]): void {
  const others = components.filter(({ licence }) => !isMet(licence, SHIPPED));
  if (others.length === 0) return;
  const lines = others.map((component) => `  ${purl(component)}: ${component.licence || 'none'}`);
  throw new Problem(`The package would hold what deny.toml does not allow:\n${lines.join('\n')}`);
}

const NO_TEXT = 'These come without a text of their own; those of the same names are in this file.';

/** Each text once, after the names of all that come under it. */
function thirdPartyLicences(components: Component[], rust: string): string {
  const names = new Map<string, string[]>();
  for (const component of components) {
    const title = `${component.name} ${component.version} (${component.licence})`;
    const texts = licenceTexts(component);
    for (const text of texts.length > 0 ? texts : [NO_TEXT]) names.set(text, [...(names.get(text) ?? []), title]);
  }
  const rule = '='.repeat(100);
  const head = `host.so contains the crates below and Rust's standard library (${rust}, MIT OR Apache-2.0, Copyright (c) The Rust Project Contributors).`;
  return [head, ...[...names].map(([text, titles]) => `${rule}\n${titles.join('\n')}\n${rule}\n\n${text}`)].join('\n\n') + '\n';
}

/**
 * The bill of materials, in CycloneDX 1.6, without time and serial number: it is to be the same each time.
 */
function billOfMaterials({ name, version, description, license }: Manifest, components: Component[]): unknown {
  const own = purl({ kind: 'npm', name, version });
  const licences = (expression: string) => [{ expression: expression.replace(/ ?\/ ?/g, ' OR ') }];
  const files = ['host.so', 'hashmap.wasm', 'session.wasm'].map((file) => ({ file, ref: `${own}#build/${file}` }));
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': own, name, version, description, purl: own, licenses: licences(license) } },
    components: [
      ...files.map(({ file, ref }) => ({
        type: 'file',
        'bom-ref': ref,
        name: `build/${file}`,
        hashes: [{ alg: 'SHA-256', content: sha256(file) }],
      })),
      ...components.map((component) => ({
        type: 'library',
        'bom-ref': purl(component),
        name: component.name,
        version: component.version,
        purl: purl(component),
        licenses: licences(component.licence),
        hashes: [{ alg: 'SHA-256', content: component.sha256 }],
      })),
    ],
    dependencies: [
      { ref: own, dependsOn: files.map(({ ref }) => ref) },
      { ref: `${own}#build/host.so`, dependsOn: directCrates() },
      ...components.map((component) => ({ ref: purl(component), dependsOn: component.uses })),
    ],
  };
}

/** @param file in build/ */
function sha256(file: string): string {
  return createHash('sha256')
    .update(readFileSync(path.join(BUILD, file)))
    .digest('hex');
}

/** The files of build/ that are packed but the list itself, relative to build/. */
function packedFiles(manifest: Manifest): string[] {
  return manifest.files
    .filter((entry) => entry.startsWith('build/') && entry !== 'build/SHA256SUMS')
    .flatMap((entry) => {
      if (!statSync(path.join(ROOT, entry)).isDirectory()) return [entry];
      return readdirSync(path.join(ROOT, entry), { recursive: true, encoding: 'utf8' }).map((name) => path.join(entry, name));
    })
    .filter((file) => statSync(path.join(ROOT, file)).isFile())
    .map((file) => path.relative('build', file))
    .sort();
}

await main(() => {
  for (const product of [WASM, HOST, PACKAGE]) ensureBuilt(product);
  say(`host.so needs glibc ${checkPortable(path.join(BUILD, 'host.so'))}`);
  const shipped = crates().filter(({ isShipped }) => isShipped);
  checkLicences(shipped);

  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest;
  const rust = mustRun('rustc', ['--version'], { quiet: true }).trim();
  writeFileSync(path.join(BUILD, 'THIRD-PARTY-LICENSES.txt'), thirdPartyLicences(shipped, rust));
  writeFileSync(path.join(BUILD, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(manifest, shipped), null, 2)}\n`);
  const sums = packedFiles(manifest).map((file) => `${sha256(file)}  ${file}\n`);
  writeFileSync(path.join(BUILD, 'SHA256SUMS'), sums.join(''));
  say(`${sums.length} files in build/SHA256SUMS, ${shipped.length} crates in build/sbom.cdx.json`);
  return 0;
});
