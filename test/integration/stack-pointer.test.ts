/**
 * The stack that compilers of other languages keep in linear memory: its pointer is back where it was after a
 * call that did not return, in every module of the group, and after an attempt that failed.
 */
import { expect, test } from 'vitest';
import { assemble } from '../support/modules.ts';
import { eventually, HOST_FILE, useServer } from '../support/server.ts';

const IMPORTS = `(import "redis" "AddCommand" (func $AddCommand (param i32 i32 i32) (result i32)))
  (import "redis" "Fail" (func $Fail (param i32 i32)))
  (import "redis" "Attempt" (func $Attempt (param i32) (result i32)))`;
const HANDLER = '(param i32 i32) (result i64)';
const integer = (value: string) => `(i64.or (i64.shl (i64.extend_i32_u ${value}) (i64.const 32)) (i64.const 3))`;
const where = `(func $where ${HANDLER} ${integer('(global.get $__stack_pointer)')})`;
/** A function that makes room on its stack, and does not return. */
const leaving = (name: string, body: string, type = '') =>
  `(func $${name} ${type} (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 64))) ${body} unreachable)`;

/** The texts of commands from `base` on, and an onLoad() that registers them in their order in the table. */
function commands(base: number, names: string[]): string {
  const texts = names.map((name, index) => `(data (i32.const ${base + index * 64}) "name: ${name.padEnd(24)}")`);
  const calls = names.map((_, index) => `(call $AddCommand (i32.const ${base + index * 64}) (i32.const 30) (i32.const ${index}))`);
  return `${texts.join(' ')} (func (export "onLoad") (result i32) ${calls.reduce((sum, call) => `(i32.add ${sum} ${call})`)})
    (func $fails (call $Fail (i32.const ${base}) (i32.const 4)))`;
}

/** DEEP.go fails, and so does its export; it exports its stack pointer, the module below names it. */
const deep = await assemble(
  'deep',
  `${IMPORTS} (import "env" "memory" (memory 1)) (global (export "abi") i32 (i32.const 1))
   (global $__stack_pointer (export "__stack_pointer") (mut i32) (i32.const 4096))
   ${commands(8192, ['deep.go', 'deep.where'])} ${where}
   ${leaving('go', '(call $fails)', '(export "go") (result i64)')} ${leaving('command', '(call $fails)', HANDLER)}
   (table (export "table") 2 funcref) (elem (i32.const 0) $command $where)`,
  { plain: true },
);

const ENDINGS = ['fail', 'trap', 'loop', 'linked'];
const NAMES = [...ENDINGS, 'attempt', 'where'];
const top = await assemble(
  'top',
  `${IMPORTS} (import "env" "memory" (memory 2)) (import "DEEP" "go" (func $deep (result i64)))
   (global (export "abi") i32 (i32.const 1)) (global $__stack_pointer (mut i32) (i32.const 73728))
   ${commands(
     65536,
     NAMES.map((name) => `top.${name}`),
   )} ${where}
   ${leaving('fail', '(call $fails)', HANDLER)} ${leaving('trap', '', HANDLER)} ${leaving('loop', '(loop $next (br $next))', HANDLER)}
   ${leaving('linked', '(drop (call $deep))', HANDLER)} ${leaving('tried', '(drop (call $deep))')}
   ${leaving('info', '', '(export "info")')} ${leaving('sweep', '(call $fails)', '(export "sweep") (result i32)')}
   (func $attempt ${HANDLER} (local $at i32)
     (global.set $__stack_pointer (local.tee $at (i32.sub (global.get $__stack_pointer) (i32.const 16))))
     (if (i32.eqz (call $Attempt (i32.const ${NAMES.length}))) (then unreachable))
     (local.set $at (i32.eq (local.get $at) (global.get $__stack_pointer)))
     (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (i32.const 16)))
     ${integer('(local.get $at)')})
   (table (export "__indirect_function_table") ${NAMES.length + 1} funcref)
   (elem (i32.const 0) ${NAMES.map((name) => `$${name}`).join(' ')} $tried)`,
  { plain: true, names: true },
);

const server = useServer({ module: [HOST_FILE, deep, top], link: 'auto', arguments: ['--wasm.time-limit', '20'] });

async function expectInPlace(): Promise<void> {
  expect(await server.send('TOP.WHERE')).toBe(':73728\r\n');
  expect(await server.send('DEEP.WHERE')).toBe(':4096\r\n');
}

test.each(ENDINGS)('after a command that ends by: %s', async (ending) => {
  expect((await server.info('wasm_top')).wasm_link_DEEP).toBe('direct');
  for (let times = 0; times < 3; times++) expect(await server.send(`TOP.${ending}`)).toMatch(/^-/);
  await expectInPlace();
});

test('after an attempt that failed, in the middle of its own command', async () => {
  expect(await server.send('TOP.ATTEMPT')).toBe(':1\r\n');
  await expectInPlace();
});

test('after calls of the host that failed: of info() and of sweep()', async () => {
  const info = await eventually(
    () => server.info('wasm_top'),
    ({ wasm_traps }) => Number(wasm_traps) > 1,
  );
  expect(Number(info.wasm_traps)).toBeGreaterThan(1);
  await expect.poll(() => server.log).toContain('module top: its sweep failed: name');
  await expectInPlace();
});
