/** Session ids of a node that lie in another cluster slot than their user: counted, named, rotated. */
import { slotOf } from '../client/cluster/slots.ts';
import { type Reply, type Wire, WireError } from '../client/transfer/wire.ts';
import { loadedModules } from './loaded.ts';
import type { Node } from './nodes.ts';
import { Problem } from './process.ts';

/** How many sessions are asked for at once. */
const PAGE = '1000';
/** How many ids are named. */
const NAMED = '100';

/** What a node says. */
export interface Told {
  node: Node;
  strays: number;
  /** some of their ids */
  ids: string[];
  /** modules that are not loaded, and whose data may be kept */
  missing: string[];
}

/** What a rotation has done. */
export interface Rotated {
  /** sessions that have new ids */
  rotated: number;
  /** ids whose slot another node serves: no command reaches these sessions */
  unreachable: number;
}

/** Throws a Problem where the modules are not there, or older; rejects with a WireError. O(sessions). */
export async function straysOf(node: Node): Promise<Told> {
  const [count, ids] = (await node.wire.call(['SESSION.STRAYS', 'COUNT', NAMED]).catch(async (error: unknown) => {
    if (!(error instanceof WireError) || !/unknown command/i.test(error.reply)) throw error;
    throw new Problem(`${error.message}\n${await absence(node.wire)}`);
  })) as [number, Buffer[]];
  const missing = [...(await loadedModules(node.wire))].filter(([, loaded]) => loaded.missing !== undefined).map(([name]) => name);
  return { node, strays: count, ids: ids.map(String), missing };
}

/** Why a node does not know the commands of sessions. */
async function absence(wire: Wire): Promise<string> {
  const modules = await loadedModules(wire).catch(() => undefined);
  const reason = modules?.get('session')?.missing;
  return reason === undefined
    ? 'host.so is not loaded there with session.wasm, or they are of a release without SESSION.STRAYS.'
    : `The module session is missing there: ${reason}. Put session.wasm into wasm.dir there, and send WASM.LOAD session.`;
}

/** How many of these sessions have no end of their own. */
export async function endless({ wire }: Node, ids: string[]): Promise<number> {
  const left = await Promise.all(ids.map((id) => wire.call(['SESSION.TTL', id]).catch(whereElsewhere)));
  return left.filter((ms) => ms === -1).length;
}

/** Undefined for an id that another node serves. */
function whereElsewhere(error: unknown): undefined {
  if (error instanceof WireError && /^(?:MOVED|ASK) /.test(error.reply)) return undefined;
  throw error;
}

/** The ids of a node's sessions, some at a time. */
async function* pagesOf(wire: Wire): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, ids] = (await wire.call(['SESSION.SCAN', cursor, 'COUNT', PAGE])) as [Buffer, Buffer[]];
    yield ids;
    cursor = next.toString();
  } while (cursor !== '0');
}

/** The field of SESSION.INFO, which is a flat list. */
function fieldOf(info: Reply[], name: string): Buffer {
  return info[info.findIndex((each) => String(each) === name) + 1] as Buffer;
}

/**
 * Gives each session whose id lies in another slot than its user an id in that slot. The old one answers for
 * `grace_ms`. Run again, it does what is left: an id in grace is left alone.
 *
 * @param note - called with the old id and the new one
 * @param report - called with what was done so far, some times a second
 */
export async function rotateStrays(
  { wire }: Node,
  grace_ms: number,
  note: (old: string, present: string) => void,
  report: (done: Rotated) => void,
): Promise<Rotated> {
  const done = { rotated: 0, unreachable: 0 };
  for await (const ids of pagesOf(wire)) {
    await Promise.all(
      ids.map(async (id) => {
        const info = (await wire.call(['SESSION.INFO', id]).catch(whereElsewhere)) as Reply[] | null | undefined;
        if (info === undefined) done.unreachable++;
        // null: it has ended just now. Another id: it was rotated just now.
        if (info === undefined || info === null || !fieldOf(info, 'id').equals(id)) return;
        if (slotOf(id) === slotOf(fieldOf(info, 'user_key'))) return;
        const present = await wire.call(['SESSION.ROTATE', id, 'GRACE', String(grace_ms)]).catch(whereEnded);
        if (present === undefined) return;
        done.rotated++;
        note(String(id), String(present));
      }),
    );
    report(done);
  }
  return done;
}

/** Undefined for a session that has ended just now. */
function whereEnded(error: unknown): undefined {
  if (error instanceof WireError && error.reply.startsWith('Session not found')) return undefined;
  throw error;
}
