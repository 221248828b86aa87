/**
 * Modules written to break out of what the host allows them, and one that remembers, to see that nothing
 * reached it.
 */
import { hostile, NUMBER, registering, type HostileCommand } from './attacks.ts';
import { assemble, THIRD } from './modules.ts';

const command = (name: string, flags = 'readonly', arity = 1): HostileCommand => ({
  name: `hostile.${name}`,
  flags,
  arity,
  handler: `$${name}`,
});

/** A handler that does this. */
const handler = (name: string, body: string, locals = '') => `(func $${name} (param $argc i32) (param $argv i32) ${locals} ${body})`;
const onLoad = '(func (export "onLoad") (result i32) (call $register))';
const OK = '(call $ReplyWithSimpleString (i32.const 8) (i32.const 2))';
const one = '(call $ReplyWithLongLong (i64.const 1))';
const forever = (body: string) => `(loop $next ${body} (br $next))`;
/** Counts down from the first argument, in millions. */
const SPIN = `(local.set $left (i64.mul (i64.extend_i32_u (call $number (local.get $argv))) (i64.const 1000000)))
     (loop $next (br_if $next (i64.ne (local.tee $left (i64.sub (local.get $left) (i64.const 1))) (i64.const 0))))`;
const array = (length: number | string) => `(call $ReplyWithArray (i64.const ${length}))`;
const map = (length: number) => `(call $ReplyWithMap (i64.const ${length}))`;
const arrayLength = (length: number | string) => `(call $ReplySetArrayLength (i64.const ${length}))`;
const bulk = (length: number | string) => `(call $ReplyWithStringBuffer (i32.const 0) (i32.const ${length}))`;

/** Replies that are written at 4096: a kind and a number each, or bytes of a bulk string. */
function written(...parts: [kind: number, number: number | string, bytes?: string][]): string {
  const bytes = parts.map(([kind, number, text = '']) => {
    const head = Buffer.alloc(9, kind);
    head.writeBigUInt64LE(BigInt.asUintN(64, BigInt(number)), 1);
    return Buffer.concat([head, Buffer.from(text)]);
  });
  const stores = [...Buffer.concat(bytes)].map((byte, at) => `(i32.store8 (i32.const ${4096 + at}) (i32.const ${byte}))`);
  return `${stores.join(' ')} (call $ReplyWithParts (i32.const 4096) (i32.const ${stores.length}))`;
}

/** Commands that run on, or take what they can get. */
export const greedy = hostile(
  `${registering([
    { name: 'hostile.spin', flags: 'readonly', arity: 2, handler: '$spin' },
    ...['loop', 'recurse', 'call_chain', 'memory', 'fill', 'table', 'random', 'trap', 'divide', 'indirect', 'ok'].map((name) =>
      command(name),
    ),
    ...['flood', 'replies', 'errors', 'logs', 'effects', 'copies', 'notices'].map((name) => command(name, 'write')),
  ])} ${onLoad}
   (type $handler (func (param i32 i32)))
   (table $spare 1 funcref)
   (data $block "0123456789abcdef")
   ${handler('ok', OK)}
   ${handler('loop', forever(''))}
   ${handler('spin', `${SPIN} ${OK}`, '(local $left i64)')}
   (func $deep (param i64 i64) (result i64) (i64.add (local.get 0) (call $deep (local.get 1) (i64.add (local.get 0) (i64.const 1)))))
   ${handler('recurse', '(drop (call $deep (i64.const 1) (i64.const 2)))')}
   ${handler('call_chain', `(call_indirect (type $handler) (local.get $argc) (local.get $argv) (i32.const 2))`)}
   ${handler(
     'memory',
     `(block $full ${forever(`
       (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
       (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (i32.const 1))`)})
     (call $ReplyWithLongLong (i64.extend_i32_u (memory.size)))`,
   )}
   ${handler('fill', forever('(memory.fill (i32.const 4096) (i32.const 255) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4096)))'))}
   ${handler(
     'table',
     `(block $full ${forever('(br_if $full (i32.eq (table.grow $spare (ref.null func) (i32.const 1000)) (i32.const -1)))')})
     (call $ReplyWithLongLong (i64.extend_i32_u (table.size $spare)))`,
   )}
   ${handler('random', '(drop (memory.grow (i32.const 500))) (call $GetRandomBytes (i32.const 4096) (i32.const 30000000))')}
   ${handler('trap', `${array(3)} ${one} unreachable`)}
   ${handler('divide', '(drop (i32.div_u (i32.const 1) (local.get $n)))', '(local $n i32)')}
   ${handler('indirect', `(call_indirect (type $handler) (i32.const 0) (i32.const 0) (i32.const 1000))`)}
   ${handler('flood', `${array(-1)} ${forever(bulk(131072))}`)}
   ${handler('replies', `${array(-1)} ${forever('(call $ReplyWithNull)')}`)}
   ${handler('errors', `${array(-1)} ${forever('(call $ReplyWithError (i32.const 0) (i32.const 65536))')}`)}
   ${handler('logs', forever('(call $Log (i32.const 8) (i32.const 2) (i32.const 0) (i32.const 65536))'))}
   ${handler('copies', forever('(call $ReplicateVerbatim)'))}
   ${handler('notices', forever('(call $KeyChanged (i32.const 1) (i32.const 8) (i32.const 2) (i32.const 0) (i32.const 65536) (i32.const 0))'))}
   ${handler(
     'effects',
     `(local.set $at (i32.const 65536)) (drop (memory.grow (i32.const 20)))
     (loop $next (i32.store (local.get $at) (i32.const 0)) (i32.store offset=4 (local.get $at) (i32.const 1000000))
       (local.set $at (i32.add (local.get $at) (i32.const 8)))
       (br_if $next (i32.lt_u (local.get $at) (i32.const 545536))))
     (call $Replicate (i32.const 8) (i32.const 2) (i32.const 65536) (i32.const 60000))`,
     '(local $at i32)',
   )}`,
);

/** What a command replies, and what the client is to get instead. */
const MISSING = '-ERR the module sent no reply\r\n';
const TRAP = '-ERR module hostile: wasm trap: wasm `unreachable` instruction executed\r\n';
const TOO_DEEP = '-ERR module hostile: more than 32 arrays within each other\r\n';
const NO_PARTS = '-ERR module hostile: bytes that are no parts of a reply\r\n';
export const REPLIES: Record<string, { body: string; reply: RegExp | string }> = {
  none: { body: '', reply: MISSING },
  two: { body: `${OK} ${one}`, reply: '+OK\r\n' },
  few: { body: `${array(3)} ${one}`, reply: `*3\r\n:1\r\n${MISSING}${MISSING}` },
  many: { body: `${array(1)} ${one} ${one} ${one}`, reply: '*1\r\n:1\r\n' },
  nested: { body: `${array(2)} ${array(2)} ${one}`, reply: `*2\r\n*2\r\n:1\r\n${MISSING}${MISSING}` },
  unended: { body: `${array(-1)} ${one} ${one}`, reply: '*2\r\n:1\r\n:1\r\n' },
  promised: { body: `${array(-1)} ${one} ${arrayLength(3)}`, reply: `*2\r\n:1\r\n${MISSING}` },
  promises: {
    body: `${array(-1)} ${`${array(-1)} ${arrayLength(65536)}`.repeat(3)}`,
    reply: `*3\r\n${`*1\r\n${MISSING}`.repeat(3)}`,
  },
  fewer: { body: `${array(-1)} ${one} ${one} ${arrayLength(1)}`, reply: '*2\r\n:1\r\n:1\r\n' },
  negative: { body: `${array(-1)} ${one} ${arrayLength(-5)}`, reply: '*1\r\n:1\r\n' },
  lowest: { body: `${array('0x8000000000000000')} ${one}`, reply: '*1\r\n:1\r\n' },
  huge: { body: `${array('0x7fffffffffffffff')} ${one}`, reply: `*2\r\n:1\r\n${MISSING}` },
  unopened: { body: `${arrayLength(2)} ${one} ${arrayLength(7)}`, reply: ':1\r\n' },
  halfmap: { body: `${map(1)} ${one}`, reply: `*2\r\n:1\r\n${MISSING}` },
  oddmap: { body: `${map(-1)} ${one} ${one} ${one}`, reply: `*4\r\n:1\r\n:1\r\n:1\r\n${MISSING}` },
  hugemap: { body: `${map(-1)} (call $ReplySetMapLength (i64.const 0x7fffffffffffffff))`, reply: `*2\r\n${MISSING}${MISSING}` },
  chosen: {
    body: `${array(3)} ${one} (call $ReplyWithError (i32.const 8) (i32.const 2)) (call $WrongArity)`,
    reply: /^\*3\r\n:1\r\n-OK\r\n-ERR wrong number of arguments for 'hostile\.chosen' command\r\n$/i,
  },
  trapped: { body: `${array(2)} ${one} unreachable`, reply: TRAP },
  trapped_map: { body: `${map(-1)} ${one} unreachable`, reply: TRAP },
  trapped_nested: { body: `${array(2)} ${array(1)} ${one} ${map(2)} ${one} unreachable`, reply: TRAP },
  trapped_later: { body: `${array(1)} ${one} unreachable`, reply: TRAP },
  failed: { body: `${array(2)} ${one} (call $Fail (i32.const 8) (i32.const 2))`, reply: '-OK\r\n' },
  failed_long: {
    body: `${array(4)} ${one} (call $Fail (i32.const 4096) (i32.const 50000))`,
    reply: `-${' '.repeat(1024)}\r\n`,
  },
  null_key: { body: `${map(1)} (call $ReplyWithNull) ${one}`, reply: '*2\r\n-ERR the module sent a key that is null\r\n:1\r\n' },
  key_error: {
    body: `${map(2)} (call $ReplyWithError (i32.const 8) (i32.const 2)) (call $ReplyWithNull)`,
    reply: `*4\r\n-OK\r\n$-1\r\n${MISSING}${MISSING}`,
  },
  many_errors: { body: array(9000), reply: `*9000\r\n${MISSING.repeat(9000)}` },
  huge_trap: { body: `${array(1e9)} ${one} unreachable`, reply: TRAP },
  written: {
    body: written([7, 2], [0, 1, 'a'], [6, 2], [2, -5], [1, 0], [0, 0], [3, 5, 'b\r\nc\0']),
    reply: '*4\r\n$1\r\na\r\n*2\r\n:-5\r\n$-1\r\n$0\r\n\r\n+b  c \r\n',
  },
  written_few: { body: written([6, 3], [2, 1]), reply: `*3\r\n:1\r\n${MISSING}${MISSING}` },
  written_many: { body: written([2, 1], [2, 2], [6, 9]), reply: ':1\r\n' },
  written_none: { body: written(), reply: MISSING },
  written_longer: { body: written([6, 1], [0, 2, 'a']), reply: NO_PARTS },
  written_longest: { body: written([6, 1], [0, -1, 'a']), reply: NO_PARTS },
  written_error: { body: written([6, 1], [4, 2, 'OK']), reply: NO_PARTS },
  written_length: { body: written([6, -1], [8, 9]), reply: NO_PARTS },
  written_unknown: { body: written([6, 1], [14, 0]), reply: NO_PARTS },
  written_number: { body: written([6, 1], [13, 2, 'OK']), reply: '-ERR module hostile: a number that has no digits\r\n' },
  written_deep: { body: written(...Array.from({ length: 40 }, (): [number, number] => [6, 1])), reply: TOO_DEEP },
  wide: { body: forever(array(65536)), reply: TOO_DEEP },
  replied_trap: { body: `${OK} unreachable`, reply: '+OK\r\n' },
  deep: { body: forever(array(1)), reply: TOO_DEEP },
  deep_unended: { body: forever(array(-1)), reply: TOO_DEEP },
};
export const careless = hostile(
  `${registering(Object.keys(REPLIES).map((name) => command(name)))} ${onLoad}
   ${Object.entries(REPLIES)
     .map(([name, { body }]) => handler(name, body))
     .join('\n')}`,
);

/**
 * Commands that replicate, and what they name: what no module may make a server run, and what this one may.
 */
export const EFFECTS = {
  everything: 'FLUSHALL',
  foreign: 'CUSTOM.APPLY',
  reader: 'hostile.count',
  longer: 'hostile.note ',
  own: 'HOSTILE.Note',
};
/** Commands that do not write, and replicate all the same. */
export const READERS = {
  replicate: '(call $effect (i32.const 4))',
  verbatim: '(call $ReplicateVerbatim)',
  changed: '(call $KeyChanged (i32.const 1) (i32.const 8) (i32.const 2) (i32.const 8) (i32.const 2) (i32.const 1))',
};
const effectNames = Object.values(EFFECTS);
/**
 * HOSTILE.COUNT answers how often HOSTILE.NOTE was run; HOSTILE.LATE replicates it, and may, though it does
 * not write.
 */
export const propagating = hostile(
  `${registering([
    ...Object.keys(EFFECTS).map((name) => command(name, 'write')),
    ...Object.keys(READERS).map((name) => command(name)),
    command('late', 'readonly may-replicate'),
    command('note', 'write', -1),
    command('count'),
  ])} ${onLoad}
   ${effectNames.map((name, index) => `(data (i32.const ${4096 + 64 * index}) "${name}")`).join(' ')}
   (global $count (mut i64) (i64.const 0))
   (func $effect (param $index i32)
     (call $Replicate (i32.add (i32.const 4096) (i32.shl (local.get $index) (i32.const 6)))
       (i32.load8_u (i32.add (i32.const 8192) (local.get $index))) (i32.const 32) (i32.const 0)))
   (data (i32.const 8192) "${effectNames.map((name) => `\\${name.length.toString(16).padStart(2, '0')}`).join('')}")
   ${Object.keys(EFFECTS)
     .map((name, index) => handler(name, `(call $effect (i32.const ${index})) ${OK}`))
     .join('\n')}
   ${Object.entries(READERS)
     .map(([name, body]) => handler(name, `${body} ${OK}`))
     .join('\n')}
   ${handler('late', `(call $effect (i32.const 4)) ${OK}`)}
   ${handler('note', `(global.set $count (i64.add (global.get $count) (i64.const 1))) ${OK}`)}
   ${handler('count', '(call $ReplyWithLongLong (global.get $count))')}`,
);

/** What a handler's result may be: byte strings that lie outside the memory. HOSTILE.ANSWER number. */
export const RESULTS = ['0x00000002ffffffff', '0xffffffff00000000', '0x8000000080000000', '0x0000000100020000', '0xffffffffffffffff'];
export const answering = hostile(
  `${registering([{ name: 'hostile.answer', flags: 'readonly', arity: 2, handler: '$answer' }])} ${onLoad}
   (func $answer (param i32 i32) (result i64) (local $n i32) (local.set $n (call $number (local.get 1)))
     ${RESULTS.map((result, index) => `(if (i32.eq (local.get $n) (i32.const ${index})) (then (return (i64.const ${result}))))`).join(' ')}
     (i64.const 0))`,
);

/**
 * Ends, or does not, with `committing` set. HOSTILE.VALUE answers what its last HOSTILE.SET left, 0 after a
 * flush.
 */
export const halfway = hostile(
  `${registering([
    ...['set', 'trap', 'loop'].map((name) => command(name, 'write')),
    { name: 'hostile.short', flags: 'write', arity: 2, handler: '$short' },
    command('value'),
  ])}
   (data (i32.const 64) "wasm-host")
   (global $committing (export "committing") (mut i32) (i32.const 0))
   (global $value (mut i64) (i64.const 0))
   (global $slow (mut i32) (i32.const 0))
   (func (export "onLoad") (result i32)
     (i32.add (call $register) (call $CreateDataType (i32.const 64) (i32.const 9) (i32.const 1))))
   (func (export "flush") (global.set $value (i64.const 0)))
   (func (export "auxSave") (call $SaveUnsigned (global.get $value)))
   (func (export "auxLoad") (param i32) (result i32) (global.set $value (call $LoadUnsigned)) (i32.const 0))
   ${handler('set', `(global.set $value (i64.const 7)) ${OK}`)}
   ${handler('value', '(call $ReplyWithLongLong (global.get $value))')}
   ${handler('trap', '(global.set $committing (i32.const 1)) (global.set $value (i64.const 8)) unreachable')}
   ${handler('loop', `(global.set $committing (i32.const 1)) ${forever('')}`)}
   ${handler('short', `(global.set $committing (i32.const 1)) ${SPIN} (global.set $committing (i32.const 0)) ${OK}`, '(local $left i64)')}`,
);

/** What an export that the host calls does, by its name; the others do as they should. */
export const MISDEEDS = {
  trap: 'unreachable',
  loop: forever(''),
  recursion: '(call $down)',
  blocks: forever('(call $SaveStringBuffer (i32.const 0) (i32.const 65536))'),
  /** A byte, and another one some time later. */
  bytes: forever(
    `${'(memory.fill (i32.const 4096) (i32.const 0) (i32.const 60000))'.repeat(20)} (call $SaveStringBuffer (i32.const 0) (i32.const 1))`,
  ),
  nothings: forever('(call $SaveStringBuffer (i32.const 0) (i32.const 0))'),
  numbers: forever('(call $SaveUnsigned (i64.const 0))'),
  reads: forever('(drop (call $LoadStringBuffer))'),
  readNumbers: forever('(drop (call $LoadUnsigned))'),
  memory: `(block $full ${forever('(br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))')}) unreachable`,
  fields: forever('(call $InfoAddFieldULongLong (i32.const 8) (i32.const 2) (i64.const 1))'),
  commit: `(global.set $committing (i32.const 1)) ${forever('')}`,
};
export type Misdeed = keyof typeof MISDEEDS;
const DEEDS = Object.entries(MISDEEDS);

/**
 * HOSTILE.ARM n: from now on the export number n / 100, in this order, does misdeed number n % 100, from 1.
 */
const EXPORTS = ['info', 'auxSave', 'auxLoad', 'flush', 'freeBytes', 'isEmpty', 'sweep'] as const;
export const misdeedOf = (name: (typeof EXPORTS)[number], misdeed: Misdeed) =>
  String((EXPORTS.indexOf(name) + 1) * 100 + Object.keys(MISDEEDS).indexOf(misdeed) + 1);
const wicked = (name: (typeof EXPORTS)[number], head: string, before = '', after = '') =>
  `(func $${name} (export "${name}") ${head} ${before} (call $deed (i32.const ${EXPORTS.indexOf(name) + 1})) ${after})`;
export const unreliable = hostile(
  `${registering([
    { name: 'hostile.arm', flags: 'readonly', arity: 2, handler: '$arm' },
    { name: 'hostile.write', flags: 'write deny-oom', arity: 1, handler: '$write' },
  ])}
   (data (i32.const 64) "wasm-host")
   (func (export "onLoad") (result i32)
     (i32.add (call $register) (call $CreateDataType (i32.const 64) (i32.const 9) (i32.const 1))))
   (global $armed (mut i32) (i32.const 0))
   (global $committing (export "committing") (mut i32) (i32.const 0))
   (func $down (call $down) (global.set $armed (i32.const 0)))
   (func $arm (param i32 i32) (global.set $armed (call $number (local.get 1))) ${OK})
   (func $write (param i32 i32) ${OK})
   (func $deed (param $export i32)
     ${DEEDS.map(([, body], index) => `(if (i32.eq (global.get $armed) (i32.add (i32.mul (local.get $export) (i32.const 100)) (i32.const ${index + 1}))) (then ${body}))`).join('\n')})
   ${wicked('info', '')} ${wicked('flush', '')}
   ${wicked('auxSave', '', '(call $SaveUnsigned (i64.const 7))')}
   ${wicked('auxLoad', '(param i32) (result i32)', '(drop (call $LoadUnsigned))', '(i32.const 0)')}
   ${wicked('freeBytes', '(result i64)', '', '(i64.const 0x7fffffffffffffff)')} ${wicked('isEmpty', '(result i32)', '', '(i32.const 0)')}
   ${wicked('sweep', '(result i32)', '', '(i32.const 0)')}`,
);

/** How a command of the module below ends, by the number that it is given; `what` is told of it. */
export const FAULTS = {
  'a trap': { number: '1', body: 'unreachable', what: /ERR module hostile: wasm trap: wasm `unreachable` instruction executed/ },
  'an error of its own': { number: '2', body: '(call $Fail (i32.const 8) (i32.const 2))', what: /OK/ },
  'a trap within a commit': { number: '3', body: '(global.set $committing (i32.const 1)) unreachable', what: /unreachable/ },
  'a loop': { number: '4', body: forever(''), what: /it ran longer than wasm\.time-limit/ },
};
/** Flags of a context: of a replica, or while the server loads. */
const ELSEWHERE = (1 << 3) | (1 << 13);

/**
 * HOSTILE.WRITE n is replicated as it came, and ends well on a primary; on a replica, or out of the
 * append-only file, it ends as FAULTS has it. HOSTILE.READ n ends so on a replica too, as its client's
 * command.
 */
export const faulty = hostile(
  `${registering([
    { name: 'hostile.write', flags: 'write', arity: 2, handler: '$write' },
    { name: 'hostile.read', flags: 'readonly', arity: 2, handler: '$read' },
  ])} ${onLoad}
   (global $committing (export "committing") (mut i32) (i32.const 0))
   (func $fault (param $argv i32) (local $n i32)
     (if (i32.eqz (i32.and (call $GetContextFlags) (i32.const ${ELSEWHERE}))) (then (return)))
     (local.set $n (call $number (local.get $argv)))
     ${Object.values(FAULTS)
       .map(({ number, body }) => `(if (i32.eq (local.get $n) (i32.const ${number})) (then ${body}))`)
       .join(' ')})
   ${handler('write', `(call $ReplicateVerbatim) (call $fault (local.get $argv)) ${OK}`)}
   ${handler('read', `(call $fault (local.get $argv)) ${OK}`)}`,
);

/**
 * Number `index` of modules that each use up most of a stack and then call the next one's command,
 * `CHAIN<n>.go`.
 */
export const chained = (index: number) =>
  hostile(
    `(import "CHAIN${index + 1}" "go" (func $next (result i64)))
     ${registering([{ name: `chain${index}.go`, flags: 'readonly', arity: 1, handler: '$go' }])} ${onLoad}
     (func $down (param $left i32) (result i64)
       (if (result i64) (local.get $left)
         (then (i64.add (call $down (i32.sub (local.get $left) (i32.const 1))) (i64.extend_i32_u (local.get $left))))
         (else (call $next))))
     (func $go (param i32 i32) (call $ReplyWithLongLong (call $down (i32.const 9000))))`,
    `chain${index}`,
  );

/**
 * A module that remembers: WITNESS.FILL number writes it all over its memory, WITNESS.SUM adds it up again.
 */
export const witness = hostile(
  `${registering([
    { name: 'witness.fill', flags: 'readonly', arity: 2, handler: '$fill' },
    { name: 'witness.sum', flags: 'readonly', arity: 1, handler: '$sum' },
  ])} ${onLoad}
   (func $fill (param i32 i32)
     (memory.fill (i32.const 4096) (call $number (local.get 1)) (i32.const 61440)) ${OK})
   (func $sum (param i32 i32) (local $at i32) (local $sum i64)
     (local.set $at (i32.const 4096))
     (loop $next (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
       (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 65536))))
     (call $ReplyWithLongLong (local.get $sum)))`,
  'witness',
);

/** What a module tells the server of its one command, `HOSTILE.ODD` unless it is named otherwise. */
export interface Registration {
  title: string;
  name?: string;
  flags?: string;
  first?: number;
  last?: number;
  step?: number;
  arity?: number;
}

/** A module that registers one command so, which replies OK. */
export function registered({ name = 'hostile.odd', flags = 'readonly', first = 0, last = 0, step = 0, arity = 1 }: Registration) {
  const quoted = (text: string) =>
    `"${[...Buffer.from(text, 'latin1')].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('')}"`;
  const pages = Math.ceil((name.length + flags.length) / 65536) + 1;
  return hostile(
    `(data (i32.const 1024) ${quoted(name)}) (data (i32.const ${1024 + name.length}) ${quoted(flags)})
     (table (export "table") 1 funcref) (elem (i32.const 0) $odd)
     ${handler('odd', OK)}
     (func (export "onLoad") (result i32) (call $CreateCommand (i32.const 1024) (i32.const ${name.length}) (i32.const 0)
       (i32.const ${1024 + name.length}) (i32.const ${flags.length})
       (i32.const ${first}) (i32.const ${last}) (i32.const ${step}) (i32.const ${arity})))`,
    'hostile',
    pages,
  );
}

/** A module with one numeric setting, declared so. */
export function configured(name: string, value: number | string, flags: number, min: number | string, max: number | string) {
  return hostile(
    `(data (i32.const 1024) "${name}") (table (export "table") 0 funcref) (func (export "onLoad") (result i32) (i32.const 0))
     (func (export "settings") (drop (call $RegisterNumericConfig (i32.const 1024) (i32.const ${name.length}) (i64.const ${value})
       (i32.const ${flags}) (i64.const ${min}) (i64.const ${max}) (i32.const 1))))`,
  );
}

/**
 * A module in which onLoad() does this, when it is asked or when it runs for good: the host has grown the
 * memory by then.
 */
export function loading(body: string, when: 'asked' | 'for good') {
  return hostile(
    `(table (export "table") 0 funcref) (func $down (call $down) (drop (memory.grow (i32.const 0))))
     (func $misdeed ${body})
     (func (export "onLoad") (result i32) (if (i32.${when === 'asked' ? 'eq' : 'gt_u'} (memory.size) (i32.const 1)) (then (call $misdeed))) (i32.const 0))`,
  );
}

/** Where the module below has its texts: behind the static data of the shipped modules. */
const OWN = THIRD.memoryBase!;
/** The call that registers a command whose name is at `name` behind OWN. */
const ownCommand = (name: number, length: number, index: number) =>
  `(call $CreateCommand (i32.const ${OWN + name}) (i32.const ${length}) (i32.const ${index}) (i32.const ${OWN + 64}) (i32.const 5)
     (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2))`;

/**
 * A module that is linked directly to the storage, and so trusted with its memory, and breaks that trust:
 * HOSTILE.SCRIBBLE n writes n bytes anywhere; HOSTILE.SEED n chooses which and where.
 */
export const traitor = assemble(
  'hostile',
  `(import "env" "memory" (memory ${THIRD.initialMemory!}))
   (import "CUSTOM" "get" (func $get (param i32 i32) (result i64)))
   (import "redis" "CreateCommand" (func $CreateCommand (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
   (import "redis" "ReplyWithLongLong" (func $ReplyWithLongLong (param i64)))
   (global (export "abi") i32 (i32.const 1))
   (global $state (mut i64) (i64.const 1))
   (data (i32.const ${OWN}) "hostile.scribble") (data (i32.const ${OWN + 32}) "hostile.seed") (data (i32.const ${OWN + 64}) "write")
   (table (export "table") 2 funcref) (elem (i32.const 0) $scribble $seed)
   (func (export "onLoad") (result i32) (i32.add ${ownCommand(0, 16, 0)} ${ownCommand(32, 12, 1)}))
   ${NUMBER}
   (func $random (result i32)
     (global.set $state (i64.add (i64.mul (global.get $state) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
     (i32.wrap_i64 (i64.shr_u (global.get $state) (i64.const 33))))
   ${handler(
     'seed',
     `(global.set $state (i64.extend_i32_u (call $number (local.get $argv))))
     (call $ReplyWithLongLong (i64.extend_i32_u (i64.ne (call $get (i32.const ${OWN}) (i32.const 7)) (i64.const 0))))`,
   )}
   ${handler(
     'scribble',
     `(local.set $left (call $number (local.get $argv)))
     (loop $more
       (i32.store8 (i32.rem_u (call $random) (i32.shl (memory.size) (i32.const 16))) (call $random))
       (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
     (call $ReplyWithLongLong (i64.extend_i32_u (memory.size)))`,
     '(local $left i32)',
   )}`,
  { plain: true, names: true },
);

/** Errors with 100 codes: each is written into the text by its number, in two letters. */
export const manyCodes = hostile(
  `${registering([command('codes')])} ${onLoad}
   ${handler(
     'codes',
     `${array(100)} (i32.store (i32.const 4200) (i32.const 541147461))
     (loop $each
       (i32.store8 (i32.const 4201) (i32.add (i32.const 65) (i32.div_u (local.get $argc) (i32.const 26))))
       (i32.store8 (i32.const 4202) (i32.add (i32.const 65) (i32.rem_u (local.get $argc) (i32.const 26))))
       (call $ReplyWithError (i32.const 4200) (i32.const 4))
       (local.set $argc (i32.add (local.get $argc) (i32.const 1)))
       (br_if $each (i32.lt_u (local.get $argc) (i32.const 100))))`,
   )}`,
);
