/**
 * The ways by which writers reach a cluster: raw connections that follow MOVED and ASK by themselves, and
 * node-redis. Each tells what surely was not done from what may have been.
 */
import { createCluster, ErrorReply } from 'redis';
import type { RawConnection } from '../support/raw.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import type { TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { Violation } from './history.ts';

/** `refused`: it was not done; `lost`: it may have been done. */
export type Answer = { reply: Reply } | { refused: string } | { lost: string };

export interface Route {
  name: string;
  /** Sends a command to the node that has the key. */
  send: (key: string, words: string[]) => Promise<Answer>;
  close: () => void;
}

const HOPS_MAX = 16;
const PAUSE_MS = 20;
/** What servers say while slots move, nodes come back or memory is short. */
const REFUSED = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|OOM|ERR unknown command '?`?SHOP)/;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

function answerOf(reply: Reply): Answer {
  return reply instanceof Error && REFUSED.test(reply.message) ? { refused: reply.message } : { reply };
}

/** A connection to each node, which learns the owners of slots from what the nodes answer. */
export class RawRoute implements Route {
  readonly name = 'raw';
  readonly #nodes: TestServer[];
  readonly #connections = new Map<TestServer, RawConnection>();
  readonly #owners = new Map<number, TestServer>();

  constructor(nodes: TestServer[]) {
    this.#nodes = nodes;
  }

  async send(key: string, words: string[]): Promise<Answer> {
    const slot = slotOf(key);
    let node = this.#owners.get(slot) ?? this.#nodes[slot % this.#nodes.length]!;
    let isAsking = false;
    let last = '';
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      if (hop > 1) await pause();
      const connection = await this.#to(node);
      if (connection === undefined) {
        this.#owners.delete(slot);
        node = this.#nodes[(slot + hop) % this.#nodes.length]!;
        isAsking = false;
        continue;
      }
      let text: string;
      try {
        if (isAsking) connection.send('ASKING').catch(() => undefined);
        text = await connection.send(...words);
      } catch (error) {
        this.#connections.delete(node);
        return { lost: String(error) };
      }
      last = text;
      const [, kind, port] = /^-(MOVED|ASK) \d+ [^ ]*:(\d+)\r\n$/.exec(text) ?? [];
      if (kind === undefined) return answerOf(parseReply(text));
      const next = this.#nodes.find((one) => one.port === Number(port));
      if (next === undefined) throw new Violation(`${words.join(' ')} leads to no node: ${text}`);
      if (kind === 'MOVED') this.#owners.set(slot, next);
      isAsking = kind === 'ASK';
      node = next;
    }
    return { refused: `it leads in a circle: ${last}` };
  }

  async #to(node: TestServer): Promise<RawConnection | undefined> {
    const present = this.#connections.get(node);
    if (present !== undefined) return present;
    try {
      const connection = await node.connect();
      this.#connections.set(node, connection);
      return connection;
    } catch {
      return undefined;
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }
}

/** The client that applications use. */
export async function clientRoute(nodes: TestServer[]): Promise<Route> {
  const client = createCluster({
    rootNodes: nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })),
    defaults: { socket: { reconnectStrategy: PAUSE_MS } },
  });
  client.on('error', () => undefined);
  await client.connect();
  return {
    name: 'node-redis',
    async send(key, words) {
      try {
        return answerOf(await client.sendCommand<Reply>(key, false, words));
      } catch (error) {
        if (error instanceof ErrorReply) return answerOf(error);
        const text = String(error);
        return /redirection|Cannot find node/i.test(text) ? { refused: text } : { lost: text };
      }
    },
    close() {
      client.destroy();
    },
  };
}
