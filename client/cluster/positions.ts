/** Which primary of a cluster holds each slot, in the nodes' own words. */
import { setTimeout as delay } from 'node:timers/promises';
import { SLOTS } from './slots.ts';

/** A node's client, as far as it is used here. */
export interface NodeClient {
  sendCommand(words: string[], options?: { timeout?: number }): Promise<unknown>;
}

/** A client of createCluster, as far as it is used here. */
export interface ClusterClient {
  readonly masters: readonly unknown[];
  nodeClient(node: unknown): Promise<NodeClient>;
  /** Of node-redis itself, which else asks anew only when a command with a key is sent elsewhere. */
  readonly _slots?: { rediscover?: (startWith?: unknown) => Promise<void> };
}

export interface Positions {
  /** The clients of the primaries, by the nodes' ids; by numbers where these may not be asked. */
  readonly nodes: ReadonlyMap<string, NodeClient>;
  /** The id of the node that has what modules hold in a slot; undefined where no node has the slot. */
  readonly holders: readonly (string | undefined)[];
}

/** A line of CLUSTER NODES. */
interface Line {
  id: string;
  isSelf: boolean;
  slots: string[];
}

const WAIT_MS = 50;

export function isCluster(client: unknown): client is ClusterClient {
  const { masters, nodeClient } = client as Partial<ClusterClient>;
  return masters !== undefined && typeof nodeClient === 'function';
}

function linesOf(text: unknown): Line[] {
  const lines = String(text).split('\n').filter(Boolean);
  return lines.map((line) => {
    const [id = '', , flags = '', , , , , , ...slots] = line.trim().split(' ');
    return { id, isSelf: flags.split(',').includes('myself'), slots };
  });
}

/**
 * Calls back for each slot that a node says to have, with who holds what is in it: an open slot has been
 * handed over to the node that it migrates to. `[93->-<id>]` is such a slot, `[93-<-<id>]` one that comes.
 */
function eachSlot({ id, slots }: Line, note: (slot: number, holder: string) => void): void {
  const leaving = new Map<number, string>();
  for (const word of slots) {
    const [, slot, target = ''] = /^\[(\d+)->-(\w+)\]$/.exec(word) ?? [];
    if (slot !== undefined) leaving.set(Number(slot), target);
  }
  for (const word of slots) {
    if (word.startsWith('[')) continue;
    const [first = 0, last = first] = word.split('-').map(Number);
    for (let slot = first; slot <= last; slot++) note(slot, leaving.get(slot) ?? id);
  }
}

/** What a primary says, or why it does not. */
interface Asked {
  client?: NodeClient;
  lines?: Line[];
  error?: unknown;
}

/** Asks the primaries that node-redis knows. `timeout`: ms that the question may wait to be sent. */
async function ask(cluster: ClusterClient, timeout: number): Promise<Asked[]> {
  return Promise.all(
    cluster.masters.map(async (master) => {
      const asked: Asked = {};
      try {
        asked.client = await cluster.nodeClient(master);
        asked.lines = linesOf(await asked.client.sendCommand(['CLUSTER', 'NODES'], { timeout }));
      } catch (error) {
        asked.error = error;
      }
      return asked;
    }),
  );
}

/**
 * Who holds each slot by what its owner says. Undefined while that is not sure: an owner does not answer, two
 * nodes say that they have a slot, or it is held by one that node-redis does not know.
 */
function agreed(asked: readonly Asked[]): Positions | undefined {
  const nodes = new Map<string, NodeClient>();
  const holders = new Array<string | undefined>(SLOTS).fill(undefined);
  const doubted = new Set<number>();
  for (const { client, lines } of asked) {
    const self = lines?.find(({ isSelf }) => isSelf);
    if (client === undefined || self === undefined) continue;
    nodes.set(self.id, client);
    eachSlot(self, (slot, holder) => {
      if (holders[slot] !== undefined) doubted.add(slot);
      holders[slot] = holder;
    });
  }
  for (const line of asked.flatMap(({ lines = [] }) => lines)) {
    eachSlot(line, (slot) => {
      if (holders[slot] === undefined) doubted.add(slot);
    });
  }
  return doubted.size === 0 && nodes.size > 0 && holders.every((holder) => holder === undefined || nodes.has(holder))
    ? { nodes, holders }
    : undefined;
}

/**
 * Asks every primary which slots it has, again until they agree, and until node-redis knows all of them.
 *
 * @param timeout_ms - how long that may take
 * @throws what the node that does not answer was asked with, or an Error; the server's NOPERM
 */
export async function positionsOf(cluster: ClusterClient, timeout_ms: number): Promise<Positions> {
  const until_ms = performance.now() + timeout_ms;
  for (;;) {
    const asked = await ask(cluster, timeout_ms);
    const { error } = asked.find((one) => one.error !== undefined) ?? {};
    if (isRefused(error)) throw error;
    const positions = agreed(asked);
    if (positions !== undefined) return positions;
    if (performance.now() >= until_ms) {
      throw error instanceof Error ? error : new Error(`the nodes of the cluster did not agree on its slots within ${timeout_ms} ms`);
    }
    await delay(WAIT_MS);
    await cluster._slots?.rediscover?.(asked.find(({ lines }) => lines !== undefined)?.client);
  }
}

/** Whether the user may not ask. */
export function isRefused(error: unknown): error is Error {
  return error instanceof Error && error.message.startsWith('NOPERM ');
}

/** The clients of the primaries that node-redis knows. */
export async function primariesOf(cluster: ClusterClient): Promise<NodeClient[]> {
  return Promise.all(cluster.masters.map((master) => cluster.nodeClient(master)));
}
