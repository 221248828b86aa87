/**
 * Every command that is shipped, as COMMAND INFO and COMMAND DOCS show it: what users, proxies and
 * permissions rely on.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bulks } from '../support/raw.ts';
import { hasCategories, hasOwnCategories, hidesEffects, useServer } from '../support/server.ts';

/** Flags as COMMAND INFO has them; `oom`: refused over `maxmemory`, `oom?`: that is left open. */
type Flag = 'admin' | 'write' | 'readonly' | 'oom' | 'oom?' | 'fast' | 'dangerous' | 'effect';
/** Name, arity, flags, and where the keys are: `first..last/step`, or `WORD@from`. */
type Row = [name: string, arity: number, flags: string, ...keys: string[]];

const ALL: Row[] = [
  ['custom.set', -3, 'write oom fast', '1'],
  ['custom.get', 2, 'readonly fast', '1'],
  ['custom.del', -2, 'write fast', '1..-1'],
  ['custom.exists', -2, 'readonly fast', '1..-1'],
  ['custom.keys', -1, 'readonly dangerous'],
  ['custom.mset', -3, 'write oom', '1..-1/2'],
  ['custom.mget', -2, 'readonly fast', '1..-1'],
  ['custom.getdel', 2, 'write fast', '1'],
  ['custom.strlen', 2, 'readonly fast', '1'],
  ['custom.incrby', 3, 'write oom fast', '1'],
  ['custom.append', 3, 'write oom fast', '1'],
  ['custom.expire', 3, 'write fast', '1'],
  ['custom.pexpire', 3, 'write fast', '1'],
  ['custom.ttl', 2, 'readonly fast', '1'],
  ['custom.pttl', 2, 'readonly fast', '1'],
  ['custom.persist', 2, 'write fast', '1'],
  ['custom.scan', -2, 'readonly'],
  ['custom.len', 1, 'readonly fast'],
  ['custom.clear', 1, 'write dangerous'],
  ['custom.memory', 2, 'readonly fast', '1'],
  ['custom.check', 1, 'readonly dangerous'],
  ['custom.apply', -1, 'write dangerous effect', '3'],
  ['session.create', -2, 'write oom', '1'],
  ['session.get', 2, 'readonly', '1'],
  ['session.list', 1, 'readonly dangerous'],
  ['session.add_data', -4, 'write oom fast', '1'],
  ['session.get_data', 3, 'readonly fast', '1'],
  ['session.delete', 2, 'write', '1'],
  ['session.assign', 3, 'write oom?', '1', '2'],
  ['session.getall', -2, 'readonly', '1'],
  ['session.del_data', -3, 'write fast', '1'],
  ['session.incr_data', 4, 'write oom fast', '1'],
  ['session.cas', -5, 'write oom fast', '1'],
  ['session.touch', 2, 'write fast', '1'],
  ['session.expire', -3, 'write', '1'],
  ['session.ttl', 2, 'readonly fast', '1'],
  ['session.info', 2, 'readonly', '1'],
  ['session.rotate', -2, 'write oom?', '1'],
  ['session.user', 2, 'readonly', '1'],
  ['session.deluser', -2, 'write', '1', 'EXCEPT@2'],
  ['session.scan', -2, 'readonly'],
  ['session.count', -1, 'readonly fast', '1'],
  ['session.check', 1, 'readonly dangerous'],
  ['session.strays', -1, 'readonly dangerous'],
  ['session.apply', -1, 'write dangerous effect', '3'],
  ['wasm.modules', 1, 'readonly'],
  ['wasm.load', 2, 'admin dangerous'],
  ['wasm.reload', 2, 'admin dangerous'],
  ['wasm.unload', -2, 'admin dangerous'],
];

/**
 * What cluster clients do with a command, and the server's own command that has the same tips, where there is
 * one.
 */
const TIPS: Record<string, [tips: string, peer?: string]> = {
  'custom.keys': ['nondeterministic_output_order request_policy:all_shards', 'keys'],
  'custom.scan': ['nondeterministic_output request_policy:special response_policy:special', 'scan'],
  'custom.len': ['request_policy:all_shards response_policy:agg_sum', 'dbsize'],
  'custom.clear': ['request_policy:all_shards response_policy:agg_sum'],
  'custom.check': ['request_policy:all_shards response_policy:all_succeeded', 'ping'],
  'custom.mget': ['request_policy:multi_shard', 'mget'],
  'custom.mset': ['request_policy:multi_shard response_policy:all_succeeded', 'mset'],
  'custom.del': ['request_policy:multi_shard response_policy:agg_sum', 'del'],
  'custom.exists': ['request_policy:multi_shard response_policy:agg_sum', 'exists'],
  'custom.ttl': ['nondeterministic_output', 'ttl'],
  'custom.pttl': ['nondeterministic_output', 'pttl'],
  'session.create': ['nondeterministic_output'],
  'session.rotate': ['nondeterministic_output'],
  'session.ttl': ['nondeterministic_output', 'pttl'],
  'session.info': ['nondeterministic_output'],
  'session.list': ['nondeterministic_output_order request_policy:all_shards', 'keys'],
  'session.scan': ['nondeterministic_output request_policy:special response_policy:special', 'scan'],
  // By a user's key on the shard of that key, else on all.
  'session.count': ['request_policy:special response_policy:agg_sum'],
  'session.check': ['request_policy:all_shards response_policy:all_succeeded', 'ping'],
  'session.strays': ['nondeterministic_output_order request_policy:all_shards response_policy:special'],
};

/** The host's own effects, where the server shows them. */
const EFFECTS = new Set(['wasm.apply', 'wasm.slots']);

/** Those that the server shows. */
const COMMANDS = ALL.filter(([, , flags]) => !hidesEffects || !flags.includes('effect'));

interface KeySpec {
  flags: string[];
  begin_search: { type: string; spec: { index?: number; keyword?: string; startfrom?: number } };
  find_keys: { spec: { lastkey: number; keystep: number } };
}
type Info = [name: string, arity: number, flags: string[], ...unknown[]];

/** A key specification in the table's words. */
function shown({ begin_search: { spec }, find_keys }: KeySpec): string {
  if (spec.keyword !== undefined) return `${spec.keyword}@${spec.startfrom}`;
  const { lastkey, keystep } = find_keys.spec;
  return `${spec.index}${lastkey === 0 ? '' : `..${lastkey}`}${keystep === 1 ? '' : `/${keystep}`}`;
}

const server = useServer();
const found = new Map<string, Info>();
let docs: Record<string, { summary?: string; complexity?: string; since?: string; arguments?: unknown[] }> = {};
beforeAll(async () => {
  const client = await server.client(3);
  const names = (await client.sendCommand(['COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'wasm'])) as unknown as string[];
  const infos = (await client.sendCommand(['COMMAND', 'INFO', ...names])) as unknown as Info[];
  for (const info of infos) found.set(info[0], info);
  docs = (await client.sendCommand(['COMMAND', 'DOCS', ...names])) as unknown as typeof docs;
  client.destroy();
});
afterAll(() => {
  found.clear();
});

test('every command that the server has of the module is in the table, and the other way round', () => {
  const families = new Set(COMMANDS.map(([name]) => name.split('.')[0]));
  // The host's own effects stand for none of these.
  const described = [...found.keys()].filter((name) => families.has(name.split('.')[0]) && !EFFECTS.has(name));
  expect(described.sort()).toEqual(COMMANDS.map(([name]) => name).sort());
});

describe.each(COMMANDS)('%s', (name, arity, words, ...keys) => {
  const flags = words.split(' ') as Flag[];
  const has = (flag: Flag) => flags.includes(flag);

  test('has its arity, flags and keys', () => {
    const [, foundArity, foundFlags, , , , categories, , specs] = found.get(name)! as unknown as [
      ...[string, number, string[], number, number, number, string[], string[], KeySpec[]],
    ];
    expect(foundArity).toBe(arity);
    for (const flag of ['write', 'readonly', 'fast'] as const) expect(foundFlags.includes(flag), flag).toBe(has(flag));
    if (!has('oom?')) expect(foundFlags.includes('denyoom'), 'denyoom').toBe(has('oom'));
    // What carries keys, ids or data is shown by neither MONITOR nor SLOWLOG.
    if (keys.length > 0 || /\.(scan|keys)$/.test(name))
      expect(foundFlags.filter((flag) => /^skip_(monitor|slowlog|commandlog)$/.test(flag))).toHaveLength(2);
    expect(specs.map(shown)).toEqual(keys);
    for (const spec of specs) {
      // The key after EXCEPT is the one that nothing is done to.
      const writes = has('write') && spec.begin_search.spec.keyword !== 'EXCEPT';
      expect(spec.flags.includes('RO'), spec.flags.join(' ')).toBe(!writes);
    }
    if (!hasCategories) return;
    const [family] = name.split('.');
    const own = hasOwnCategories && family !== 'wasm' ? [`@${family}`] : [];
    const dangerous = has('dangerous') ? ['@dangerous'] : [];
    expect([...categories].sort()).toEqual(
      [...own, ...dangerous, has('admin') ? '@admin' : has('write') ? '@write' : '@read', has('fast') ? '@fast' : '@slow'].sort(),
    );
  });

  test('is described', () => {
    const { summary, complexity, since, arguments: described = [] } = docs[name]!;
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(complexity).toMatch(/^O\(/);
    expect(since).toMatch(/^0\.\d\.0$/);
    // A command that takes arguments names them.
    if (arity !== 1 && !has('effect')) expect(described.length).toBeGreaterThan(0);
    else expect(described).toEqual([]);
  });
});

test.each(COMMANDS.map(([name]) => name))('%s has the tips that clients of a cluster need', async (name) => {
  const client = await server.client(3);
  const [tips = '', peer] = TIPS[name] ?? [];
  const tipsOf = async (command: string): Promise<string> => {
    const [info] = (await client.sendCommand(['COMMAND', 'INFO', command])) as unknown as string[][][];
    return [...info![7]!].sort().join(' ');
  };
  expect(await tipsOf(name)).toBe(tips);
  // An older server may say less of its own.
  if (peer !== undefined) expect(tips.split(' ')).toEqual(expect.arrayContaining((await tipsOf(peer)).split(' ')));
  client.destroy();
});

test('the keys of a command are where they are, and a field of DATA is none, whatever it is called', async () => {
  const keysOf = (...argv: string[]) => server.send('COMMAND', 'GETKEYS', ...argv);
  expect(await keysOf('SESSION.CREATE', 'user', 'IDLE', '5', 'DATA', 'id', 'value')).toBe(bulks('user'));
  // This id is none that is declared: the command itself looks at what the client may (docs/SECURITY.md).
  expect(await keysOf('SESSION.CREATE', 'user', 'ID', 'an-id-of-the-caller')).toBe(bulks('user'));
  expect(await keysOf('SESSION.DELUSER', 'user', 'EXCEPT', 'an id', 'BEFORE', '5')).toBe(bulks('user', 'an id'));
  expect(await keysOf('SESSION.ASSIGN', 'an id', 'user')).toBe(bulks('an id', 'user'));
});
