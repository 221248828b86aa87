/**
 * Whether a cluster at rest holds all that its writers know, each once, where it belongs, and nothing else.
 */
import { seenBy } from '../support/cluster.ts';
import type { RawConnection } from '../support/raw.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import { eventually, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { Violation } from './history.ts';
import { entryLine, sessionLine, type Thing } from './things.ts';

const CHECKS = ['CUSTOM.CHECK', 'SESSION.CHECK', 'SHOP.CHECK'];
const TIMEOUT_MS = 60_000;
const SHOWN_MAX = 4;

/** What nobody writes to; values are the keys. */
export interface Still {
  /** Keys of the server's own. */
  natives: string[];
  /** Keys of the hashmap: so many that nodes make an index of slots. */
  entries: string[];
}

/**
 * @param timeout_ms for how long drops and replicas may lag
 * @throws Violation that names what is missing, or should not be there
 */
export async function checkCluster(nodes: TestServer[], things: Thing[], still: Still, timeout_ms = TIMEOUT_MS): Promise<void> {
  for (const node of nodes) {
    const seen = await seenBy(node);
    const myself = seen.find((one) => one.isMyself)!;
    const shard = myself.isPrimary ? myself : seen.find(({ id }) => id === myself.primary);
    const owns = (key: string) => shard?.ranges.some(([first, last]) => first <= slotOf(key) && slotOf(key) <= last) === true;
    const wanted = () => [
      ...things.filter(({ key }) => owns(key)).flatMap((thing) => thing.lines()),
      ...still.natives.filter(owns).map((key) => `key ${key} = ${key}`),
      ...still.entries.filter(owns).map((key) => entryLine(key, key)),
    ];
    const differences = await eventually(
      async () => difference(wanted(), await dump(node)),
      (lines) => lines.length === 0,
      timeout_ms,
    );
    const name = `${myself.isPrimary ? 'the primary' : 'the replica'} on port ${node.port}`;
    if (differences.length > 0) {
      const more = differences.length > SHOWN_MAX ? ` and ${differences.length - SHOWN_MAX} more` : '';
      throw new Violation(`${name} ${differences.slice(0, SHOWN_MAX).join('; ')}${more}`);
    }
    for (const command of CHECKS) {
      const reply = await node.send(command);
      if (reply !== '+OK\r\n') throw new Violation(`${command} of ${name} answers ${reply.trim()}`);
    }
  }
  await checkCount(nodes, things, still);
}

/** The primaries have as many entries as there are. */
async function checkCount(nodes: TestServer[], things: Thing[], { entries }: Still): Promise<void> {
  const count = async () => {
    let sum = 0;
    for (const node of nodes) {
      if ((await node.send('ROLE')).includes('master')) sum += parseReply(await node.send('CUSTOM.LEN')) as number;
    }
    return sum;
  };
  const wanted = () => entries.length + things.flatMap((thing) => thing.lines()).filter((line) => line.startsWith('entry ')).length;
  // What expires does so between two looks.
  const [found, all] = await eventually(
    async () => [await count(), wanted()] as const,
    ([sum, expected]) => sum === expected,
    TIMEOUT_MS,
  );
  if (found !== all) throw new Violation(`the primaries have ${found} entries together instead of ${all}`);
}

function difference(wanted: string[], found: string[]): string[] {
  const [expected, actual] = [new Set(wanted), new Set(found)];
  const doubled = actual.size === found.length ? [] : ['has something twice'];
  return [
    ...doubled,
    ...found.filter((line) => !expected.has(line)).map((line) => `has what it should not: ${line.slice(0, 300)}`),
    ...wanted.filter((line) => !actual.has(line)).map((line) => `lacks ${line.slice(0, 300)}`),
  ];
}

/** All that a node holds, whether or not it belongs there. */
async function dump(node: TestServer): Promise<string[]> {
  const connection = await node.connect();
  try {
    await connection.send('READONLY');
    return [...(await entries(connection)), ...(await sessions(connection)), ...(await items(connection)), ...(await keys(connection))];
  } finally {
    connection.close();
  }
}

async function ask(connection: RawConnection, ...words: string[]): Promise<Reply> {
  return parseReply(await connection.send(...words));
}

async function entries(connection: RawConnection): Promise<string[]> {
  const names = (await ask(connection, 'CUSTOM.KEYS')) as string[];
  return Promise.all(
    names.map(async (key) => {
      const [value, left] = await Promise.all([ask(connection, 'CUSTOM.GET', key), ask(connection, 'CUSTOM.PTTL', key)]);
      return entryLine(key, String(value), typeof left === 'number' && left >= 0 ? Date.now() + left : 0);
    }),
  );
}

async function sessions(connection: RawConnection): Promise<string[]> {
  const lines = (await ask(connection, 'SESSION.LIST')) as string[];
  return Promise.all(
    lines.map(async (line) => {
      const [, id = '', user = ''] = /^ID: (.*), Key: (.*), Created: /.exec(line) ?? [];
      const text = await ask(connection, 'SESSION.GET', id);
      if (typeof text !== 'string') return `session ${id} of ${user}: ${String(text)}`;
      return sessionLine(id, user, (JSON.parse(text) as { data: Record<string, string> }).data);
    }),
  );
}

async function items(connection: RawConnection): Promise<string[]> {
  return ((await ask(connection, 'SHOP.DUMP')) as string[]).map((line) => `shop ${line}`);
}

async function keys(connection: RawConnection): Promise<string[]> {
  const names = (await ask(connection, 'KEYS', '*')) as string[];
  return Promise.all(names.map(async (key) => `key ${key} = ${String(await ask(connection, 'GET', key))}`));
}
