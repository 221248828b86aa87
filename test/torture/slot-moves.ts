/**
 * The ways in which slots move: by hand as an operator does it, by redis-cli, and many at once on Valkey 9.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { seenBy, type Seen } from '../support/cluster.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import { eventually, tested, type TestServer } from '../support/server.ts';
import { Violation } from './history.ts';

const TIMEOUT_MS = 60_000;
const CLI_TIMEOUT_MS = 120_000;
const MIGRATE_TIMEOUT_MS = '5000';
const KEYS_AT_ONCE = '10';

/** A primary at this moment, with what it says of itself. */
export interface Primary extends Seen {
  node: TestServer;
}

const isValkey = () => tested.name === 'Valkey';
/** Whether the server itself moves many slots at once. */
export const movesAtOnce = () => isValkey() && Number(tested.version.split('.')[0]) >= 9;
/** Whether replicas know of open slots: a failover in the middle of a move does not close them. */
export const replicasKnow = () => isValkey() && Number(tested.version.split('.')[0]) >= 8;

/** What one node says of itself. */
export async function selfOf(node: TestServer): Promise<Primary> {
  const seen = (await seenBy(node)).find(({ isMyself }) => isMyself);
  if (seen === undefined) throw new Error('the node does not know itself');
  return { ...seen, node };
}

export async function primaries(nodes: TestServer[]): Promise<Primary[]> {
  const all = await Promise.all(nodes.map(selfOf));
  return all.filter(({ isPrimary }) => isPrimary);
}

export const owns = ({ ranges }: Seen, slot: number) => ranges.some(([first, last]) => first <= slot && slot <= last);

/** An answer that is no error, else throws. */
async function done(node: TestServer, ...words: string[]): Promise<Reply> {
  const reply = parseReply(await node.send(...words));
  if (reply instanceof Error) throw new Error(`${words.join(' ')}: ${reply.message}`);
  return reply;
}

export const setSlot = (node: TestServer, slot: number, ...words: string[]) => done(node, 'CLUSTER', 'SETSLOT', String(slot), ...words);

/** The step of a move in which the slot is open, and nothing is done. */
export const OPEN = 2;

/** What happens beside the steps of a move, begun before the step of this number. */
export interface Beside {
  step: number;
  /** Whether the slot stays open until it is over. */
  isLong: boolean;
  run: () => Promise<void>;
}

/**
 * Moves one slot step by step, as redis-cli does it. Answers why it did not come to its end, or `undefined`;
 * what runs beside it has ended by then.
 */
export async function moveSlot(
  slot: number,
  [source, target]: [Primary, Primary],
  nodes: TestServer[],
  hold_ms: number,
  beside?: Beside,
): Promise<string | undefined> {
  let running: Promise<void> | undefined;
  const steps: (() => Promise<unknown> | undefined)[] = [
    () => setSlot(target.node, slot, 'IMPORTING', source.id),
    () => setSlot(source.node, slot, 'MIGRATING', target.id),
    () => (beside?.isLong === true ? running : new Promise((resolve) => setTimeout(resolve, hold_ms))),
    () => moveKeys(slot, source.node, target.node),
    () => setSlot(target.node, slot, 'NODE', target.id),
    () => setSlot(source.node, slot, 'NODE', target.id),
    () => tellAll(slot, target.id, nodes),
  ];
  let failure: string | undefined;
  for (const [index, step] of steps.entries()) {
    if (beside?.step === index) running = beside.run();
    running?.catch(() => undefined);
    try {
      await step();
    } catch (error) {
      failure = (error as Error).message;
      break;
    }
  }
  if (running === undefined && beside !== undefined) running = beside.run();
  await running;
  return failure;
}

/** Moves the server's own keys of a slot, in the place of what a broken move has left there. */
async function moveKeys(slot: number, source: TestServer, target: TestServer): Promise<void> {
  for (;;) {
    const keys = (await done(source, 'CLUSTER', 'GETKEYSINSLOT', String(slot), KEYS_AT_ONCE)) as string[];
    if (keys.length === 0) return;
    await done(source, 'MIGRATE', '127.0.0.1', String(target.port), '', '0', MIGRATE_TIMEOUT_MS, 'REPLACE', 'KEYS', ...keys);
  }
}

/** Tells every primary whose the slot is, once it knows that this node is a primary. */
export async function tellAll(slot: number, id: string, nodes: TestServer[]): Promise<void> {
  for (const { node } of await primaries(nodes)) {
    await eventually(
      () => node.send('CLUSTER', 'NODES'),
      (lines) => lines.split('\n').some((line) => line.startsWith(id) && / (myself,)?master[, ]/.test(line)),
    );
    await setSlot(node, slot, 'NODE', id);
  }
}

/**
 * Brings a move to an end as an operator does after something broke, with all nodes there again: where the
 * source sends to the target already, by telling all that the slot is the target's; else by moving it once
 * more, which takes the place of what may have come there. Answers whether the target had it already.
 */
export async function finish(slot: number, source: Primary, target: Primary, nodes: TestServer[]): Promise<boolean> {
  const probe = await source.node.send('CUSTOM.GET', keyIn(slot));
  if (/^-(CLUSTERDOWN|LOADING)/.test(probe)) throw new Error(probe);
  const isHanded = owns(target, slot) || probe.startsWith('-ASK');
  if (!isHanded) {
    for (const { node } of [target, source]) await setSlot(node, slot, 'STABLE');
    const failure = await moveSlot(slot, [source, target], nodes, 0);
    if (failure !== undefined) throw new Error(`it does not move once more: ${failure}`);
    return false;
  }
  if (!owns(target, slot)) await setSlot(target.node, slot, 'IMPORTING', source.id);
  try {
    await moveKeys(slot, source.node, target.node);
  } catch (error) {
    // A node that imports a slot hears of no new owner: the one before has failed over meanwhile.
    if (!(error as Error).message.includes('CLUSTERDOWN')) throw error;
    await setSlot(target.node, slot, 'NODE', source.id);
    await moveKeys(slot, source.node, target.node);
  }
  await setSlot(target.node, slot, 'NODE', target.id);
  await tellAll(slot, target.id, nodes);
  return true;
}

const names = new Map<number, string>();

/** Has this key be the one that `finish` asks for in its slot. */
export function nameSlot(slot: number, key: string): void {
  names.set(slot, key);
}

function keyIn(slot: number): string {
  const name = names.get(slot);
  if (name === undefined) throw new Error(`there is no key for slot ${slot}`);
  return name;
}

/** The redis-cli beside the server, else the one on PATH; status 0, or what it says. */
export function cli(words: string[]): Promise<string | undefined> {
  const folder = path.dirname(tested.file);
  const beside = ['redis-cli', 'valkey-cli'].map((name) => path.join(folder, name)).find((file) => existsSync(file));
  return new Promise((resolve) => {
    execFile(beside ?? 'redis-cli', ['--cluster', ...words], { timeout: CLI_TIMEOUT_MS }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim().split('\n').slice(-3).join(' ');
      resolve(error === null ? undefined : `redis-cli --cluster ${words[0]}: ${said}`);
    });
  });
}

const ENDED = ['success', 'failed', 'canceled', 'cancelled'];

/** What became of the moves of many slots that a node knows of, from it or to it. */
export async function migrations(node: TestServer): Promise<string[]> {
  const reply = movesAtOnce() ? await node.send('CLUSTER', 'GETSLOTMIGRATIONS') : '';
  return [...reply.matchAll(/\r\nstate\r\n\$\d+\r\n([^\r]+)\r\n/g)].map(([, state = '']) => state);
}

export const isUnderWay = (state: string) => !ENDED.includes(state);

/** Waits until the node has no such move under way; how many of all have ended well. */
export async function migrationsOver(node: TestServer): Promise<number> {
  const found = await eventually(
    () => migrations(node),
    (states) => !states.some(isUnderWay),
    TIMEOUT_MS,
  );
  const left = found.filter(isUnderWay);
  if (left.length > 0) throw new Violation(`a move of slots does not end: ${left.join(', ')}`);
  return found.filter((state) => state === 'success').length;
}
