/**
 * The namespace `redis` is told once, in the host: what modules declare, and the fake server, are checked
 * against that table.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FakeServer } from '../support/fake-redis.ts';
import { hostFunctions } from '../support/host-functions.ts';

const TABLE = path.resolve(import.meta.dirname, '../../host/src/modules/namespace.rs');
const ROW = /"(\w+)",\s*"\(([^)]*)\)(?: -> (\w+))?", (\w+);/g;

interface Row {
  name: string;
  /** Types, `bytes` as two. */
  parameters: string[];
  result: string;
  /** The name of the set of phases. */
  phases: string;
}

const rows: Row[] = [...readFileSync(TABLE, 'utf8').matchAll(ROW)].map(([, name = '', list = '', result = '', phases = '']) => ({
  name,
  parameters: [...list.matchAll(/: (\w+)/g)].flatMap(([, type = '']) => (type === 'bytes' ? ['i32', 'i32'] : [type])),
  result,
  phases,
}));

test('the table is read whole', () => {
  expect(rows.length).toBe(76);
});

test('modules declare each function, in the same order and of the same type', () => {
  const types: Record<string, string> = { usize: 'i32', u32: 'i32', i32: 'i32', i64: 'i64', u64: 'i64', f64: 'f64', void: '' };
  const declared = hostFunctions().map(({ name, parameters, result }) => ({
    name,
    parameters: parameters.map(({ type }) => types[type]),
    result: types[result],
  }));
  expect(declared).toEqual(rows.map(({ name, parameters, result }) => ({ name, parameters, result })));
});

test('the fake server has each of them, where a real one may have it', () => {
  const phases: Record<string, string[]> = {
    load: ['LOADING', 'ALWAYS'],
    settings: ['DECLARING'],
    command: ['COMMAND', 'CALLING', 'RUNNING', 'TELLING', 'CHANGING', 'MOVING', 'ALWAYS'],
    sweep: ['RUNNING', 'TELLING', 'CHANGING', 'MOVING', 'ALWAYS'],
    save: ['SAVING', 'STREAMING', 'ALWAYS'],
    aux: ['READING', 'STREAMING', 'ALWAYS'],
    info: ['INFO', 'ALWAYS'],
    export: ['TELLING', 'MOVING', 'ALWAYS'],
    drop: ['CHANGING', 'MOVING', 'ALWAYS'],
  };
  const faked = new FakeServer().hashmap.phases();
  expect(Object.keys(faked).sort()).toEqual(rows.map(({ name }) => name).sort());
  for (const { name, phases: set } of rows) {
    for (const phase of faked[name] ?? []) expect(phases[phase], `${name} in ${phase}`).toContain(set);
  }
});
