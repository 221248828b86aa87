/**
 * Attacks on every function that the host gives to modules, made from the declarations in `assembly/base/`: a
 * function that is added there is attacked without a change here.
 */
import { hostFunctions, type HostFunction } from './host-functions.ts';
import { assemble } from './modules.ts';

export interface Attack {
  /** Its number: what HOSTILE.RUN and HOSTILE.ARM take. */
  number: number;
  /** The function and what is wrong with the call. */
  title: string;
  function: HostFunction;
  /** The call in WebAssembly's text format. */
  call: string;
  /** Every byte string lies inside the memory: the call is wrong only in the wrong phase. */
  isHarmless: boolean;
}

/** The types of the text format, by those of AssemblyScript on wasm32. */
const TYPES: Record<string, string> = { usize: 'i32', u32: 'i32', i32: 'i32', i64: 'i64', u64: 'i64', f64: 'f64', void: '' };

/** The reply of what succeeds. */
const OK = 8;
/** Where a harmless call points: two bytes of text, which it may overwrite, and a pair that names them. */
const TEXT = 16;
const PAIR = 32;
/** An array of one pair, whose bytes reach out of the memory. */
const BAD_PAIR = 40;
const END = '(i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1))';

/**
 * Byte strings that do not lie in the memory: past its end, wrapping around the address space, longer than
 * it.
 */
const BYTES: [title: string, pointer: string, length: string][] = [
  ['a byte past the end', END, '(i32.const 2)'],
  ['wrapping around', '(i32.const -1)', '(i32.const 2)'],
  ['a sum of 2^32', '(i32.const 0x80000000)', '(i32.const 0x80000000)'],
  ['the longest length', '(i32.const 0)', '(i32.const -1)'],
];
/** Arrays of byte strings that do not: as above, a size in bytes that wraps, and an element that does not. */
const ARRAYS: [title: string, pointer: string, length: string][] = [
  ...BYTES,
  ['a size of 2^32', '(i32.const 0)', '(i32.const 0x20000000)'],
  ['a negative count', '(i32.const 0)', '(i32.const 0x80000001)'],
  ['an element outside', `(i32.const ${BAD_PAIR})`, '(i32.const 1)'],
];

/**
 * The parameters that stand for byte strings or arrays of them: each the place of a pointer, whose length
 * follows.
 */
function pairs({ parameters }: HostFunction): { at: number; isArray: boolean }[] {
  return parameters.flatMap(({ type }, at) => {
    const next = parameters[at + 1];
    if (type !== 'usize' || next === undefined) return [];
    return [{ at, isArray: next.name === 'argc' }];
  });
}

function call({ name, parameters, result }: HostFunction, replaced = -1, pointer = '', length = ''): string {
  const places = pairs({ name, parameters, result });
  const values = parameters.map(({ type }, index) => {
    if (index === replaced) return pointer;
    if (index === replaced + 1 && replaced >= 0) return length;
    const own = places.find(({ at }) => at === index);
    if (own) return `(i32.const ${own.isArray ? PAIR : TEXT})`;
    const before = places.find(({ at }) => at === index - 1);
    if (before) return `(i32.const ${before.isArray ? 1 : 2})`;
    return `(${TYPES[type]}.const 0)`;
  });
  const text = `(call $${name} ${values.join(' ')})`;
  return result === 'void' ? text : `(drop ${text})`;
}

/**
 * One harmless call of every function, and a harmful one for each of its byte strings and each way to be
 * outside.
 */
export function attacks(): Attack[] {
  const all: Omit<Attack, 'number'>[] = hostFunctions().flatMap((each) => [
    { title: each.name, function: each, call: call(each), isHarmless: true },
    ...pairs(each).flatMap(({ at, isArray }) =>
      (isArray ? ARRAYS : BYTES).map(([title, pointer, length]) => ({
        title: `${each.name}, ${each.parameters[at]!.name}: ${title}`,
        function: each,
        call: call(each, at, pointer, length),
        isHarmless: false,
      })),
    ),
  ]);
  return all.map((attack, number) => ({ number, ...attack }));
}

const WHOLE = '(i32.shl (memory.size) (i32.const 16))';

/**
 * Every function with the most that a memory holds: each byte string is all of it, each array as many pairs
 * as fit, each i64 the largest.
 */
export function largest(): Attack[] {
  return hostFunctions().map((each, number) => {
    const { name, parameters, result } = each;
    const places = pairs(each);
    const values = parameters.map(({ type }, index) => {
      if (places.some(({ at }) => at === index)) return '(i32.const 0)';
      const before = places.find(({ at }) => at === index - 1);
      if (before) return before.isArray ? `(i32.shr_u ${WHOLE} (i32.const 3))` : WHOLE;
      return type === 'i64' ? '(i64.const 0x7fffffffffffffff)' : `(${TYPES[type]}.const 0)`;
    });
    const text = `(call $${name} ${values.join(' ')})`;
    return { number, title: name, function: each, call: result === 'void' ? text : `(drop ${text})`, isHarmless: true };
  });
}

/** When an armed attack happens: in which of the module's exports. */
export const MOMENTS = ['info', 'auxSave', 'auxLoad', 'flush', 'freeBytes', 'isEmpty', 'sweep'] as const;
export type Moment = (typeof MOMENTS)[number];
/** What HOSTILE.ARM takes: the attack `number` when the host calls the export of this name next. */
export const armed = (moment: Moment, number: number) => String((MOMENTS.indexOf(moment) + 1) * 1000 + number);
export const DISARMED = '0';

const IMPORTS = hostFunctions()
  .map(({ name, parameters, result }) => {
    const types = parameters.map(({ type }) => TYPES[type]).join(' ');
    return `(import "redis" "${name}" (func $${name} (param ${types}) ${result === 'void' ? '' : `(result ${TYPES[result]})`}))`;
  })
  .join('\n');

const littleEndian = (word: number) =>
  [0, 8, 16, 24].map((shift) => `\\${((word >>> shift) & 255).toString(16).padStart(2, '0')}`).join('');

/** A function that reads the first argument as a whole number. */
export const NUMBER = `(func $number (param $argv i32) (result i32) (local $at i32) (local $end i32) (local $value i32)
    (local.set $at (i32.load (local.get $argv)))
    (local.set $end (i32.add (local.get $at) (i32.load offset=4 (local.get $argv))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10)) (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (local.get $value))`;

/** Memory, texts and functions that the modules here have in common. What they grow is their own. */
const COMMON = `
  (global (export "abi") i32 (i32.const 1))
  (memory (export "memory") 1)
  (data (i32.const ${OK}) "OK") (data (i32.const ${TEXT}) "hi") (data (i32.const ${PAIR}) "${littleEndian(TEXT)}${littleEndian(2)}${littleEndian(-1)}${littleEndian(2)}")
  ${NUMBER}`;

/** A command of the module, by the place of its handler in the table. */
export interface HostileCommand {
  name: string;
  flags: string;
  arity: number;
  handler: string;
}

/**
 * The calls that register commands, in a function that answers how many the server refused, and their names.
 */
export function registering(commands: HostileCommand[]): string {
  let at = 256;
  const texts = commands
    .flatMap(({ name, flags }) => [name, flags])
    .map((text) => {
      const place = at;
      at += text.length + 1;
      return { text, place };
    });
  const data = texts.map(({ text, place }) => `(data (i32.const ${place}) "${text}")`);
  const calls = commands.map(({ arity }, index) => {
    const [name, flags] = [texts[2 * index]!, texts[2 * index + 1]!];
    return `(call $CreateCommand (i32.const ${name.place}) (i32.const ${name.text.length}) (i32.const ${index})
      (i32.const ${flags.place}) (i32.const ${flags.text.length}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const ${arity}))`;
  });
  const sum = calls.reduce((left, right) => `(i32.add ${left} ${right})`, '(i32.const 0)');
  const elements = commands.map(({ handler }) => handler).join(' ');
  return `${data.join(' ')} (table (export "table") ${Math.max(commands.length, 1)} funcref) (elem (i32.const 0) ${elements})
    (func $register (result i32) ${sum})`;
}

/**
 * The module `hostile`: HOSTILE.RUN number, HOSTILE.ARM number, HOSTILE.WRITE (which the server may refuse
 * for memory).
 */
export function hostileModule(all: Attack[]): Promise<string> {
  const one = ({ number, call: body }: Attack) => `(func $attack_${number} ${body})`;
  const choose = all.map(({ number }) => `(if (i32.eq (local.get $n) (i32.const ${number})) (then (call $attack_${number})))`);
  const moment = (name: Moment, result = '', before = '', after = '') =>
    `(func (export "${name}") ${name === 'auxLoad' ? '(param i32)' : ''} ${result} ${before} (call $armed (i32.const ${MOMENTS.indexOf(name) + 1})) ${after})`;
  return assemble(
    'hostile',
    `${IMPORTS} ${COMMON}
     ${registering([
       { name: 'hostile.run', flags: 'write', arity: 2, handler: '$run' },
       { name: 'hostile.arm', flags: 'readonly', arity: 2, handler: '$arm' },
       { name: 'hostile.write', flags: 'write deny-oom', arity: 1, handler: '$write' },
       { name: 'hostile.grow', flags: 'write', arity: 2, handler: '$grow' },
     ])}
     (data (i32.const 64) "wasm-host")
     (func (export "onLoad") (result i32)
       (i32.add (call $register) (call $CreateDataType (i32.const 64) (i32.const 9) (i32.const 1))))
     (global $armed (mut i32) (i32.const 0))
     (func $armed (param $moment i32)
       (if (i32.eq (i32.div_u (global.get $armed) (i32.const 1000)) (local.get $moment))
         (then (call $attack (i32.rem_u (global.get $armed) (i32.const 1000))))))
     (func $run (param i32 i32) (call $attack (call $number (local.get 1))) (call $ok))
     (func $arm (param i32 i32) (global.set $armed (call $number (local.get 1))) (call $ok))
     (func $write (param i32 i32) (call $ok))
     (func $grow (param i32 i32) (local $before i32)
       (local.set $before (memory.grow (call $number (local.get 1))))
       (memory.fill (i32.shl (local.get $before) (i32.const 16)) (i32.const 255) (i32.shl (call $number (local.get 1)) (i32.const 16)))
       (call $ok))
     (func $ok (call $ReplyWithSimpleString (i32.const ${OK}) (i32.const 2)))
     ${all.map(one).join('\n')}
     (func $attack (param $n i32) ${choose.join('\n')})
     ${moment('info')} ${moment('flush')}
     ${moment('auxSave', '', '(call $SaveUnsigned (i64.const 7))')}
     ${moment('auxLoad', '(result i32)', '(drop (call $LoadUnsigned))', '(i32.const 0)')}
     ${moment('freeBytes', '(result i64)', '', '(i64.const 0)')} ${moment('isEmpty', '(result i32)', '', '(i32.const 0)')}
     ${moment('sweep', '(result i32)', '', '(i32.const 0)')}`,
    { plain: true, names: true },
  );
}

/** A module whose onLoad() makes one attack: when it is asked what it declares, or when it runs for good. */
export function hostileLoad({ number, call: body }: Attack, when: 'asked' | 'for good'): Promise<string> {
  // The host has grown the memory for arguments by the time that onLoad() runs for good.
  const condition = when === 'asked' ? '(i32.const 1)' : '(i32.gt_u (memory.size) (i32.const 1))';
  return assemble(
    'hostile',
    `${IMPORTS} ${COMMON} (table (export "table") 1 funcref) (elem (i32.const 0) $handler) (func $handler (param i32 i32))
     (func $attack_${number} ${body})
     (func (export "onLoad") (result i32) (if ${condition} (then (call $attack_${number}))) (i32.const 0))`,
    { plain: true, names: true },
  );
}

/**
 * A module out of parts in the text format: every function of the host is imported by its name, and byte 8
 * begins "OK".
 */
export function hostile(text: string, name = 'hostile', pages = 1): Promise<string> {
  const common = COMMON.replace('(memory (export "memory") 1)', `(memory (export "memory") ${pages})`);
  return assemble(name, `${IMPORTS} ${text} ${common}`, { plain: true, names: true });
}
