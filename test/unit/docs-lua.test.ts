/** docs/LUA.md: its blocks are parts of the examples, which other tests run, and its replies are theirs. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDER = path.join(ROOT, 'kit/examples');

test('each block is part of an example', () => {
  const examples = readdirSync(FOLDER).map((name) => readFileSync(path.join(FOLDER, name), 'utf8'));
  const page = readFileSync(path.join(ROOT, 'docs/LUA.md'), 'utf8');
  const blocks = [...page.matchAll(/^```(?:ts|lua)\n([^]*?)^```/gm)].map(([, text = '']) => text);
  expect(blocks.length).toBeGreaterThanOrEqual(4);
  expect(blocks.filter((block) => !examples.some((text) => text.includes(block)))).toEqual([]);
});
