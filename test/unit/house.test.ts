/**
 * The shape of the code: floors without a circle, files and functions that one can hold in mind, prose that
 * fits on a screen.
 */
import { describe, expect, test } from 'vitest';
import { arrows, circles, filesOf, floorOf, functions, houses, lengthOf, prose } from '../support/house.ts';

const PRODUCT = /^(?:assembly|bench|bin|client|example|kit|host\/src|scripts)\/.*\.(?:rs|ts)$/;
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const PROSE_COLUMNS_MAX = 110;

test('the houses are those that ARCHITECTURE.md lists', () => {
  const roots = [
    'host/src',
    'assembly',
    'assembly/hashmap',
    'assembly/session',
    'assembly/base',
    'assembly/kit',
    'client',
    'bin',
    'kit',
    'bench',
    'example',
  ];
  expect(houses().map(({ root }) => root)).toEqual(roots);
});

describe.each(houses().map((house) => [house.root, house] as const))('%s', (_, house) => {
  const all = arrows(house);

  test('has imports that are understood', () => {
    expect(all.length).toBeGreaterThan(5);
  });

  test('has no circle of imports: move what both need into a file below both', () => {
    expect(circles(all).map((circle) => circle.join(' → '))).toEqual([]);
  });

  test('has a floor for each file: name it in ARCHITECTURE.md', () => {
    const files = new Set(all.flatMap(({ from, to }) => [from, to]));
    expect([...files].filter((file) => floorOf(house, file) === undefined)).toEqual([]);
  });

  test('has no import upwards: what is needed from above belongs further down, or is handed over as an argument', () => {
    const isUp = (from: number, to: number, a: string, b: string): boolean =>
      to < from ||
      (to === from && a.split('/')[house.root.split('/').length] !== b.split('/')[house.root.split('/').length] && !isOneFloor(from));
    const isOneFloor = (floor: number): boolean => house.floors[floor]?.includes('*') ?? false;
    const wrong = all.filter(({ from, to }) => isUp(floorOf(house, from) ?? 0, floorOf(house, to) ?? 0, from, to));
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });
});

test('ARCHITECTURE.md has 200 lines at most: what is longer belongs into docs/', () => {
  expect(lengthOf('ARCHITECTURE.md')).toBeLessThanOrEqual(200);
});

test(`no file of the product has over ${FILE_LINES_MAX} lines: split it by its headings`, () => {
  const long = filesOf(PRODUCT).filter((file) => lengthOf(file) > FILE_LINES_MAX);
  expect(long.map((file) => `${file}: ${lengthOf(file)}`)).toEqual([]);
});

test(`no function has over ${FUNCTION_LINES_MAX} lines: give a part of it a name`, () => {
  const all = filesOf(PRODUCT).flatMap((file) => functions(file).map((each) => ({ file, ...each })));
  expect(all.length).toBeGreaterThan(1500);
  const long = all.filter(({ length }) => length > FUNCTION_LINES_MAX);
  expect(long.map(({ file, line, name, length }) => `${file}:${line} ${name}: ${length}`)).toEqual([]);
});

test(`no line of prose has over ${PROSE_COLUMNS_MAX} columns: break it`, () => {
  const files = filesOf(/\.(?:rs|ts|mjs|js|sh|yml|toml|md)$|(?:^|\/)Dockerfile/);
  const wide = files.flatMap((file) =>
    prose(file)
      .filter(({ text }) => text.length > PROSE_COLUMNS_MAX && !/https?:\/\/\S{60}/.test(text))
      .map(({ line }) => `${file}:${line}`),
  );
  expect(wide).toEqual([]);
});
