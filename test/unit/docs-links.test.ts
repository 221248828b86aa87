/** Every page's links lead somewhere, and the files and scripts that it names are there. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** Files that are made, not kept: of builds, of a server, of its operator, of an application. */
const MADE = /^(?:build\/|target\/|data\/|\.tools\/)|^(?:host\.so|redis\.conf|[a-z]+\.wasm|dump\.rdb|redis-cli)$/;
/** Folders that a page may mean where it names a file alone. */
const SOURCES = ['assembly', 'host/src', 'bin', 'client', 'example', 'test', 'bench', 'scripts', 'docs', 'kit'];

const tracked = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  .stdout.trim()
  .split('\n');
// What the template's page names is in the project that is made of it.
const pages = tracked.filter((file) => file.endsWith('.md') && !file.startsWith('kit/template/'));
const textOf = (page: string): string => readFileSync(path.join(ROOT, page), 'utf8');
/** Without blocks of code. */
const proseOf = (page: string): string => textOf(page).replaceAll(/^```[^]*?^```/gm, '');

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(page: string): Set<string> {
  const headings = [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('there are pages', () => {
  expect(pages.length).toBeGreaterThan(9);
});

/** The links of a page to files of the project, and to headings in them. */
function linksOf(page: string): { link: string; target: string; anchor?: string }[] {
  const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!).filter((link) => !/^https?:/.test(link));
  return links.map((link) => {
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? page : path.normalize(path.join(path.dirname(page), file));
    return { link, target, ...(anchor === undefined ? {} : { anchor }) };
  });
}

test.each(pages)('%s: links lead to files and headings', (page) => {
  const broken = linksOf(page).filter(({ target, anchor }) => {
    if (!existsSync(path.join(ROOT, target))) return true;
    return anchor !== undefined && !anchors(target).has(anchor);
  });
  expect(broken).toEqual([]);
});

test('links of the pages in the package lead to files in the package', () => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8' });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const packed = new Set(files.map((file) => file.path));
  const packedPages = pages.filter((page) => packed.has(page));
  expect(packedPages.length).toBeGreaterThan(9);
  const broken = packedPages.flatMap((page) =>
    linksOf(page).flatMap(({ link, target }) => (packed.has(target) ? [] : [`${page}: ${link}`])),
  );
  expect(broken).toEqual([]);
});

test.each(pages.filter((page) => /^(?:README\.md$|docs\/|kit\/)/.test(page)))('%s: has npx never ask a registry for the name', (page) => {
  expect(textOf(page)).not.toMatch(/npx redis-wasm/);
});

test.each(pages)('%s: the files that it names are there', (page) => {
  const spans = [...proseOf(page).matchAll(/`([\w./@-]+\.(?:ts|mjs|rs|md|json|toml|wasm|so|conf|rdb))`/g)].map((match) => match[1]!);
  const missing = spans.filter((file) => {
    if (MADE.test(file)) return false;
    const near = [file, path.join(path.dirname(page), file)].some((candidate) => existsSync(path.join(ROOT, candidate)));
    return !near && !SOURCES.some((folder) => tracked.some((known) => known.startsWith(`${folder}/`) && known.endsWith(`/${file}`)));
  });
  expect(missing).toEqual([]);
});

/** Scripts of a project that `new` makes, which pages about such projects name. */
const ofProjects = [...(/scripts: \{([^}]*)\}/.exec(textOf('bin/new.ts'))?.[1] ?? '').matchAll(/(\w+):/g)].map((match) => match[1]!);

test.each(pages)('%s: the scripts that it names are there', (page) => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const known = /KIT|^kit\//.test(page) ? ofProjects : Object.keys(scripts);
  const named = [...textOf(page).matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)|\bnpm (start|test)\b/g)].map(
    (match) => match[1] ?? match[2]!,
  );
  expect(named.filter((script) => !known.includes(script))).toEqual([]);
});
