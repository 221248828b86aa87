/**
 * A short torture of every kind (`npm run torture` goes on for as long as it is told), and that its judge
 * condemns.
 */
import { describe, expect, test } from 'vitest';
import { joined } from '../support/cluster.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested } from '../support/server.ts';
import { checkCluster } from '../torture/cluster-state.ts';
import { CLUSTER_SCENARIOS } from '../torture/cluster.ts';
import { check, prefixes, UNKNOWN, Violation, type History, type Operation, type State } from '../torture/history.ts';
import { Load } from '../torture/load.ts';
import type { Answer, Route } from '../torture/routes.ts';
import { addBallast, readState } from '../torture/state.ts';
import { crash, SCENARIOS } from '../torture/scenarios.ts';
import { Entry, shopModule } from '../torture/things.ts';

const SEED = 20_261;
const ROUNDS = 2;
/**
 * What is linked by command only has to show that its effects arrive; the rest does not depend on the link.
 */
const BOTH_LINKS = ['crash-always', 'cut-links'];

const scenarios = SCENARIOS.filter(({ name }) => tested.link === 'auto' || BOTH_LINKS.includes(name));

test.each(scenarios)('$name breaks no promise', async ({ name, run }) => {
  const outcome = await run({ seed: SEED, link: tested.link, rounds: ROUNDS });
  // What was to happen did happen.
  expect(outcome.acknowledged).toBeGreaterThan(100);
  if (name.startsWith('crash') || name === 'failover' || name === 'replace-modules') expect(outcome.kills).toBe(ROUNDS);
  if (name === 'replace-modules') expect(outcome.changes).toBeGreaterThan(0);
  if (name === 'crash-rdb') expect(outcome['with a minimum']).toBe(ROUNDS);
  if (name === 'cut-links') expect(outcome.cuts).toBeGreaterThanOrEqual(ROUNDS);
});

test.runIf(tested.link === 'auto').each(CLUSTER_SCENARIOS)('$name breaks no promise', { timeout: 300_000 }, async ({ run }) => {
  const outcome = await run({ seed: SEED, link: tested.link, rounds: 1 });
  expect(outcome.acknowledged).toBeGreaterThan(100);
  expect(outcome.moves! + outcome.refused! + outcome.finished! + outcome['at once']!).toBeGreaterThan(0);
});

describe('the judge condemns', () => {
  test('a server that promises more than it keeps', async () => {
    const judged = crash('rdb', 'always', { seed: SEED, link: tested.link, rounds: 1 });
    await expect(judged).rejects.toThrow(/^writer \d lost \d+ operations that must be there: (CUSTOM|SESSION)\./);
  });

  test('an operation that was claimed and never sent, and states that do not agree', async () => {
    const server = await startServer();
    const load = new Load(SEED);
    await addBallast(server);
    load.after(500, () => load.stop());
    expect(await load.run(server)).toEqual(['stopped', 'stopped', 'stopped', 'stopped']);
    expect(check(load.writers, await readState(server), () => true)).toBe(0);

    load.writers[2]!.operations.push(operation(['CUSTOM.SET', 'writer 2:claimed', 'value'], 'key writer 2:claimed', 'value', load.tick()));
    const states = await readState(server);
    expect(() => check(load.writers, states, () => true)).toThrow(
      new Violation('writer 2 lost 1 operations that must be there: CUSTOM.SET writer 2:claimed value'),
    );
    expect(check(load.writers, states, ({ words }) => words[1] !== 'writer 2:claimed')).toBe(1);

    await server.send('CUSTOM.SET', 'writer 0:user 99', '01234567-89ab-4def-8123-456789abcdef');
    await expect(readState(server)).rejects.toThrow(/maps \d+ users, but \d+ have sessions/);
    await server.send('CUSTOM.DEL', 'writer 0:user 99');
    await server.send('CUSTOM.DEL', 'ballast:7');
    await expect(readState(server)).rejects.toThrow('the entry ballast:7 is gone');
  });

  test('an answer that is not what was acknowledged', async () => {
    const answering = (answer: Answer): Route => ({ name: 'a route', send: () => Promise.resolve(answer), close: () => undefined });
    const entry = new Entry('key', () => 0);
    entry.possible = ['0 value'];
    await expect(entry.look(answering({ reply: null }))).rejects.toThrow(new Violation('key is null instead of 0 value'));
    await entry.look(answering({ reply: 'value' }));
    await entry.look(answering({ refused: 'CLUSTERDOWN' }));
    // Either, as the answer was lost.
    entry.possible.push('nothing');
    await entry.look(answering({ reply: null }));
    expect(entry.possible).toEqual(['nothing']);
    // What expires at some time may be there until then, and not afterwards.
    entry.possible = [`${Date.now() - 60_000} value`];
    await expect(entry.look(answering({ reply: 'value' }))).rejects.toThrow('key is value instead of');
  });

  test('a node that lacks an entry, or has one that belongs to nobody', async () => {
    const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await shopModule()];
    const nodes = await joined(startServer, { module }, 1);
    const entry = new Entry('key', () => 0);
    await nodes[0]!.send('CUSTOM.SET', 'key', 'value');
    entry.possible = ['0 value'];
    await checkCluster(nodes, [entry], { natives: [], entries: [] }, 0);
    await nodes[0]!.send('SET', 'wasm.slot:{x}', 'value');
    await expect(checkCluster(nodes, [entry], { natives: [], entries: [] }, 0)).rejects.toThrow(
      'has what it should not: key wasm.slot:{x} = value',
    );
    await nodes[0]!.send('DEL', 'wasm.slot:{x}');
    await nodes[0]!.send('CUSTOM.SET', 'key', 'other');
    await expect(checkCluster(nodes, [entry], { natives: [], entries: [] }, 0)).rejects.toThrow('lacks entry key = value');
  });

  test('a hole in the order of all writers, also where each has a prefix of its own', () => {
    const one = history('one', [operation(['first'], 'a', '1', 1), operation(['third'], 'a', '2', 5)]);
    const other = history('other', [operation(['second'], 'b', '1', 3)]);
    const state = (a: string | undefined, b: string | undefined) =>
      new Map<string, State>([
        ['one', new Map(a === undefined ? [] : [['a', a]])],
        ['other', new Map(b === undefined ? [] : [['b', b]])],
      ]);
    expect(check([one, other], state('2', '1'), () => false)).toBe(0);
    expect(check([one, other], state('1', undefined), () => false)).toBe(2);
    expect(() => check([one, other], state('2', undefined), () => false)).toThrow('one has third, but other has lost the earlier second');
  });

  test('a state that no prefix makes', () => {
    const past = history('one', [operation(['set'], 'a', '1', 1), operation(['create'], 'b', UNKNOWN, 3)]);
    expect(prefixes(past, new Map())).toEqual([0]);
    expect(prefixes(past, new Map([['a', '1']]))).toEqual([1]);
    expect(prefixes(past, new Map([['a', '1'], ['b', 'any id']]))).toEqual([2]); // prettier-ignore
    expect(prefixes(past, new Map([['b', 'any id']]))).toEqual([]);
    expect(() => check([past], new Map([['one', new Map([['b', 'any id']])]]), () => false)).toThrow(/that after none of its 2 operations/);
  });
});

test('a seed chooses what the writers send', async () => {
  const sent = async (): Promise<string[][]> => {
    const server = await startServer();
    const load = new Load(SEED);
    load.after(400, () => load.stop());
    await load.run(server);
    const masked = (words: string[]) => words.join(' ').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'id');
    return load.writers.map(({ operations }) => operations.slice(0, 50).map(({ words }) => masked(words)));
  };
  const first = await sent();
  expect(first.flat().length).toBe(200);
  expect(await sent()).toEqual(first);
  expect(first[0]).not.toEqual(first[1]);
});

function operation(words: string[], name: string, value: string, clock: number): Operation {
  return { words, changes: [[name, value]], sent: clock, acknowledged: clock + 1, acknowledged_ms: 0 };
}

function history(name: string, operations: Operation[]): History {
  return { name, base: new Map(), operations };
}
