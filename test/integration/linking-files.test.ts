/**
 * A load that fails before the server is asked for anything: one line of the log names the file and the
 * reason. A server that starts ends; one that runs lives on with its data, and its next load works. The host
 * alone decides that, whatever the server.
 */
import path from 'node:path';
import { describe } from 'vitest';
import { stock } from '../support/languages.ts';
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
    reason: /it imports redis\.Nonsense, which this version of the host does not have$/,
  },
  {
    title: "a host's function by another type",
    modules: [await assemble('probe', '(import "redis" "ReplyWithNull" (func (param i64)))')],
    reason: /redis::ReplyWithNull/,
  },
  {
    title: 'an import out of env that is no memory',
    modules: [await assemble('probe', '(import "env" "foo" (func))')],
    reason: /it imports env\.foo: env holds memory and abort alone; define it in the module \(asc --use\), or import it from redis$/,
  },
  {
    title: 'an import of WASI',
    modules: [await assemble('probe', '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))')],
    reason: /it imports wasi_snapshot_preview1\.fd_write: there is no WASI here; build for wasm32-unknown-unknown \(Rust\), or with/,
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
    reason: /it does not export table, or __indirect_function_table: --exportTable \(asc\), --export-table \(wasm-ld\)$/,
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
    title: 'a committing that is no mutable number, nor the address of one',
    modules: [await assemble('probe', '(global (export "committing") i32 (i32.const 0))')],
    reason: /its export committing is neither a mutable i32 nor the address of one$/,
  },
];

const HEAP = /its heap may take the host's pages: export allocate, which gives the host memory, or abi, if it uses only what it grew$/;
/** What moves a global as LLVM moves its stack pointer. */
const asStack = (global: string) =>
  `(func (local $at i32) (global.set ${global} (local.tee $at (i32.sub (global.get ${global}) (i32.const 32))))
     (global.set ${global} (i32.add (local.get $at) (i32.const 32))))`;

/** What a module of another language is told of itself. */
const LANGUAGES: Unfit[] = [
  {
    title: "AssemblyScript's own runtime that has not said what it does with the memory",
    modules: [await stock('probe', 'export function onLoad(): i32 { return new Array<i32>(9).length - 9; }', [])],
    reason: HEAP,
  },
  {
    title: "AssemblyScript's own runtime that says what is not true of it",
    modules: [
      await stock('probe', 'export const abi: i32 = 1; export function onLoad(): i32 { return new Array<i32>(9).length - 9; }', []),
    ],
    reason: /AssemblyScript's heap takes every page, so abi is not true of it: export allocate, or use another heap and --use abort=$/,
  },
  {
    title: 'a heap that grows the memory and has not said that it uses nothing else',
    modules: [await assemble('probe', '(func (export "more") (drop (memory.grow (i32.const 1))))')],
    reason: HEAP,
  },
  {
    title: 'an allocate of another type',
    modules: [await assemble('probe', '(func (export "allocate") (result i32) (i32.const 8))')],
    reason: /its export allocate has another type than the host calls$/,
  },
  {
    title: 'an allocate that answers what it does not have',
    modules: [await assemble('probe', '(func (export "allocate") (param i32) (result i32) (i32.const 8))')],
    reason: /65536 bytes at 8 are outside its memory$/,
  },
  {
    title: 'an allocate that answers nothing',
    modules: [await assemble('probe', '(func (export "allocate") (param i32) (result i32) (i32.const 0))')],
    reason: /wasm\.max-memory is too small for it$/,
  },
  {
    title: 'an abi of another type',
    modules: [await assemble('probe', '(func (export "abi") (result i64) (i64.const 1))')],
    reason: /its export abi is neither an i32 nor a function that answers one$/,
  },
  {
    title: 'a committing whose word is outside of the memory',
    modules: [await assemble('probe', '(func (export "committing") (result i32) (i32.const 65533))')],
    reason: /its export committing is neither a mutable i32 nor the address of one$/,
  },
  {
    title: 'a stack pointer that is none',
    modules: [await assemble('probe', '(global (export "__stack_pointer") i32 (i32.const 65536))')],
    reason: /its export __stack_pointer is no mutable i32$/,
  },
  {
    title: 'two globals that move as a stack pointer does',
    modules: [
      await assemble(
        'probe',
        `(global $a (mut i32) (i32.const 65536)) (global $b (mut i32) (i32.const 32768)) ${asStack('$a')} ${asStack('$b')}`,
      ),
    ],
    reason: /which of its globals is the stack pointer cannot be told: export it as __stack_pointer, or leave the file its names$/,
  },
  {
    title: 'a module of AssemblyScript that throws in onLoad',
    modules: [await stock('probe', "export function onLoad(): i32 { throw new Error('not\\ntoday'); }", [])],
    reason: /its declarations failed: it aborted: not today, at probe\.ts:1:\d+; functions: /,
  },
  {
    title: "a random number of AssemblyScript's own",
    modules: [await stock('probe', 'export function onLoad(): i32 { return <i32>Math.random(); }', [])],
    reason: /it imports env\.seed: env holds memory and abort alone; define it in the module \(asc --use\)/,
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

describe.each([...FILES, ...SHAPES, ...LANGUAGES, ...LIFE])('$title is refused', testRefusal);
