/**
 * A load that fails before the server is asked for anything: one line of the log names the file and the
 * reason. A server that starts ends; one that runs lives on with its data, and its next load works. The host
 * alone decides that, whatever the server.
 */
import path from 'node:path';
import { describe } from 'vitest';
import { assemble, file } from '../support/modules.ts';
import { HASHMAP_FILE, HOST_FILE } from '../support/server.ts';
import { testRefusal, type Unfit } from '../support/unfit.ts';

const onLoad = (body: string) => `(func (export "onLoad") (result i32) ${body})`;

const FILES: Unfit[] = [
  { title: 'a missing file', modules: ['/nonexistent/probe.wasm'], reason: /No such file/ },
  { title: 'a folder', modules: [path.dirname(HOST_FILE)], reason: /it is no regular file/ },
  { title: 'an empty file', modules: [await file('probe', new Uint8Array())], reason: /./ },
  {
    title: 'random bytes',
    modules: [
      await file(
        'probe',
        Uint8Array.from({ length: 5000 }, (_, index) => (index * index * 31 + index) >> 3),
      ),
    ],
    reason: /magic/,
  },
  { title: 'a module of 9 MiB', modules: [await file('probe', new Uint8Array(9 << 20))], reason: /9437184 bytes, more than 8388608/ },
  { title: 'a name that INFO cannot show', modules: [await file('pro be', new Uint8Array())], reason: /letters, digits/ },
  { title: 'the same name twice', modules: [HASHMAP_FILE, HASHMAP_FILE], reason: /another module of this name/ },
];

const SHAPES: Unfit[] = [
  {
    title: 'a function that the host does not have',
    modules: [await assemble('probe', '(import "redis" "Nonsense" (func))')],
    reason: /redis::Nonsense/,
  },
  {
    title: "a host's function by another type",
    modules: [await assemble('probe', '(import "redis" "ReplyWithNull" (func (param i64)))')],
    reason: /redis::ReplyWithNull/,
  },
  {
    title: 'an import out of env that is no memory',
    modules: [await assemble('probe', '(import "env" "foo" (func))')],
    reason: /it imports env\.foo: env holds the memory alone/,
  },
  {
    title: 'an import that is no function',
    modules: [await assemble('probe', '(import "CUSTOM" "get" (global i32))')],
    reason: /it imports CUSTOM\.get, which is no function/,
  },
  {
    title: 'an import of a type that no command has, where nothing serves it',
    modules: [await assemble('probe', '(import "CUSTOM" "get" (func (param i32) (result i32)))')],
    reason: /it imports CUSTOM\.get with a type that no command has \(no module loaded here registers CUSTOM commands\)/,
  },
  {
    title: 'an import of a type that no command has, beside a provider',
    modules: [HASHMAP_FILE, await assemble('probe', '(import "CUSTOM" "get" (func (param f64) (result i64)))')],
    reason: /it imports CUSTOM\.get with a type that no command has \(hashmap has ABI version 1, this module none\)/,
  },
  {
    title: 'no onLoad',
    modules: [await assemble('probe', '(memory (export "memory") 1) (table (export "table") 1 funcref)', { plain: true })],
    reason: /it does not export onLoad\(\): i32/,
  },
  {
    title: 'an onLoad of another type',
    modules: [await assemble('probe', '(func (export "onLoad") (result i64) (i64.const 0))')],
    reason: /it does not export onLoad\(\): i32/,
  },
  {
    title: 'no table',
    modules: [await assemble('probe', `(memory (export "memory") 1) ${onLoad('(i32.const 0)')}`, { plain: true })],
    reason: /it does not export table/,
  },
  {
    title: 'no memory',
    modules: [await assemble('probe', `(table (export "table") 1 funcref) ${onLoad('(i32.const 0)')}`, { plain: true })],
    reason: /it neither imports env\.memory nor exports memory/,
  },
  {
    title: 'an export that the host calls by another type',
    modules: [await assemble('probe', '(func (export "flush") (param i32))')],
    reason: /its export flush has another type/,
  },
  {
    title: 'a committing that is no mutable number',
    modules: [await assemble('probe', '(global (export "committing") i32 (i32.const 0))')],
    reason: /its export committing is no mutable i32/,
  },
];

const LIFE: Unfit[] = [
  {
    title: 'a start function that never ends',
    modules: [await assemble('probe', '(func $forever (loop $l (br $l))) (start $forever)')],
    reason: /its declarations failed: .*interrupt/,
  },
  {
    title: 'a start function that traps',
    modules: [await assemble('probe', '(func $trap unreachable) (start $trap)')],
    reason: /its declarations failed: .*unreachable/,
  },
  {
    title: 'an onLoad that never ends',
    modules: [await assemble('probe', onLoad('(loop $l (br $l)) (i32.const 0)'))],
    reason: /its declarations failed: .*interrupt/,
  },
  {
    title: 'an onLoad that traps',
    modules: [await assemble('probe', onLoad('unreachable'))],
    reason: /its declarations failed: .*unreachable/,
  },
  {
    title: 'an onLoad that does more than declare',
    modules: [
      await assemble('probe', `(import "redis" "Milliseconds" (func $now (result i64))) ${onLoad('(drop (call $now)) (i32.const 0)')}`),
    ],
    reason: /its declarations failed: .*redis::Milliseconds/,
  },
  { title: 'an onLoad that answers 1', modules: [await assemble('probe', onLoad('(i32.const 1)'))], reason: /its onLoad\(\) answered 1/ },
  {
    title: 'settings() that trap',
    modules: [await assemble('probe', '(func (export "settings") unreachable)')],
    reason: /its declarations failed: .*unreachable/,
  },
  {
    title: 'a setting outside settings()',
    modules: [
      await assemble(
        'probe',
        `(import "redis" "RegisterNumericConfig" (func $register (param i32 i32 i64 i32 i64 i64 i32) (result i32)))
         ${onLoad('(call $register (i32.const 0) (i32.const 0) (i64.const 1) (i32.const 0) (i64.const 0) (i64.const 9) (i32.const 0))')}`,
      ),
    ],
    reason: /its declarations failed: a setting outside settings\(\)/,
  },
];

describe.each([...FILES, ...SHAPES, ...LIFE])('$title is refused', testRefusal);
