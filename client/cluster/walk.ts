/** Walking through what all nodes of a cluster hold, while slots may move and nodes may come and go. */
import { setTimeout as delay } from 'node:timers/promises';
import { ErrorReply } from '@redis/client';
import { ArgumentError } from '../arguments.ts';
import type { RedisArgument } from '../command.ts';
import { isCluster, isRefused, positionsOf, primariesOf, type ClusterClient, type NodeClient, type Positions } from './positions.ts';
import { SLOTS, slotOf } from './slots.ts';

const WAIT_MS = 50;

export interface Walk<Node, T> {
  /** What a node holds, some at a time; begins anew each time that it is called. */
  visit: (node: Node) => AsyncIterable<T[]>;
  /** The key whose slot an element is in. */
  keyOf: (element: T) => RedisArgument;
  /** ms without a node, or without agreement on the slots, after which it fails. */
  timeout_ms: number;
}

/**
 * Everything that a client's server, or all nodes of its cluster hold.
 *
 * The nodes are visited one after the other. Slots that were with the same node before and after are done;
 * then the nodes that hold the others are visited for what is in these, and so on: what is there from the
 * beginning to the end is met, wherever it moves meanwhile. It is met twice where its slot moved just then,
 * or its node went away.
 */
export async function* walk<Node, T>(client: unknown, wanted: Walk<Node, T>): AsyncGenerator<T[], void, void> {
  if (!isCluster(client)) {
    yield* wanted.visit(client as Node);
    return;
  }
  const open = new Set<number>(Array(SLOTS).keys());
  let before: Positions | undefined = await allowedPositions(client, wanted.timeout_ms);
  if (before === undefined) {
    for (const node of await primariesOf(client)) yield* wanted.visit(node as Node);
    return;
  }
  let failing_ms: number | undefined;
  for (let round = 0; open.size > 0; round++) {
    const failed = new Map<string | undefined, unknown>();
    for (const [id, node] of nodesOf(before, open)) {
      try {
        yield* only(wanted.visit(node as Node), (element) => round === 0 || open.has(slotOf(wanted.keyOf(element))));
      } catch (error) {
        if (!isPassing(error)) throw error;
        failed.set(id, error);
      }
    }
    const after = await positionsOf(client, wanted.timeout_ms);
    for (const slot of [...open]) {
      const holder = before.holders[slot];
      if (holder === after.holders[slot] && !failed.has(holder)) open.delete(slot);
    }
    failing_ms = failed.size === 0 ? undefined : (failing_ms ?? performance.now());
    if (failing_ms !== undefined) {
      if (performance.now() - failing_ms > wanted.timeout_ms) throw [...failed.values()][0];
      await delay(WAIT_MS);
    }
    before = after;
  }
}

/** Whether it may be otherwise soon, or on another node: a node that is away, or is no primary any more. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ErrorReply)) return !(error instanceof ArgumentError);
  return /^(?:CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|TRYAGAIN) /.test(error.message);
}

/** The positions; undefined for a user who may not ask for them. */
async function allowedPositions(client: ClusterClient, timeout_ms: number): Promise<Positions | undefined> {
  try {
    return await positionsOf(client, timeout_ms);
  } catch (error) {
    if (isRefused(error)) return undefined;
    throw error;
  }
}

/** The nodes that hold some of these slots. */
function nodesOf({ nodes, holders }: Positions, slots: ReadonlySet<number>): [id: string, node: NodeClient][] {
  const ids = new Set(Array.from(slots, (slot) => holders[slot]));
  return [...nodes].filter(([id]) => ids.has(id));
}

async function* only<T>(pages: AsyncIterable<T[]>, isWanted: (element: T) => boolean): AsyncGenerator<T[], void, void> {
  for await (const page of pages) yield page.filter(isWanted);
}
