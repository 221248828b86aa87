/**
 * A recording of every original command: what was sent and the bytes that came back. Two servers that behave
 * alike make equal recordings: ids are numbered in the order of their appearance, times are one word,
 * listings are sorted.
 */
import { createHash } from 'node:crypto';
import { bulks, parseBulks, type RawConnection } from '../../support/raw.ts';
import { DIFFICULT_BYTES } from './custom.ts';

const UNKNOWN_ID = '01234567-89ab-4def-8123-456789abcdef';
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** What is longer is recorded by its digest, so that a difference can be read. */
const LINE_LENGTH_MAX = 2000;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

class Recorder {
  readonly lines: string[] = [];
  readonly #raw: RawConnection;
  readonly #ids: string[] = [];

  constructor(raw: RawConnection) {
    this.#raw = raw;
  }

  /** Sends one command, records it, and answers the reply. */
  async say(...argv: string[]): Promise<string> {
    const reply = await this.#raw.send(...argv);
    this.#record(argv, reply);
    return reply;
  }

  /** As `say`, for a reply whose elements come in any order. */
  async list(...argv: string[]): Promise<void> {
    const elements = parseBulks(await this.#raw.send(...argv)).map((element) => this.#normalised(element));
    this.#record(argv, bulks(...elements.sort()));
  }

  /** SESSION.CREATE; answers the id that is in the reply. */
  async create(user: string): Promise<string> {
    return (await this.say('SESSION.CREATE', user)).match(ID)?.[0] ?? '';
  }

  #record(argv: string[], reply: string): void {
    const line = this.#normalised(`${argv.join(' ')} → ${reply}`);
    const digest = () => createHash('sha256').update(line, 'latin1').digest('hex');
    this.lines.push(line.length <= LINE_LENGTH_MAX ? line : `${line.slice(0, 100)}… ${line.length} bytes, sha256 ${digest()}`);
  }

  #normalised(text: string): string {
    const number = (id: string) => {
      if (!this.#ids.includes(id)) this.#ids.push(id);
      return `id ${this.#ids.indexOf(id)}`;
    };
    return text.replace(ID, number).replace(TIME, 'time');
  }
}

/** Records, on an empty server, what every provider of CUSTOM.* serves, and the sessions on it. */
export async function record(raw: RawConnection): Promise<string[]> {
  const recorder = new Recorder(raw);
  await storage(recorder);
  await lives(recorder);
  await mappings(recorder);
  await severalOfAUser(recorder);
  await partsOfData(recorder);
  await bytes(recorder);
  await refusals(recorder);
  await recorder.list('CUSTOM.KEYS');
  await recorder.list('SESSION.LIST');
  await recorder.say('SESSION.CHECK');
  return recorder.lines;
}

/** Several sessions of a user: their order, limits, other ids, other users, and the mapping that moves on. */
async function severalOfAUser(recorder: Recorder): Promise<void> {
  const first = await recorder.create('many');
  await recorder.say('SESSION.CREATE', 'many', 'NEW', 'IDLE', '1000', 'TTL', '2000', 'DATA', 'f', 'v');
  await recorder.say('SESSION.CREATE', 'many', 'NEW', 'ID', 'an-id-of-the-caller');
  await recorder.say('SESSION.CREATE', 'many', 'NEW', 'ID', 'an-id-of-the-caller');
  await recorder.say('SESSION.CREATE', 'many', 'NEW', 'MAX', '3', 'REJECT');
  const newest = (await recorder.say('SESSION.CREATE', 'many', 'NEW', 'MAX', '3')).match(ID)?.[0] ?? '';
  await recorder.say('SESSION.USER', 'many');
  await recorder.say('SESSION.COUNT', 'many');
  await recorder.say('SESSION.GET', first);
  const rotated = (await recorder.say('SESSION.ROTATE', newest, 'GRACE', '1000000')).match(ID)?.[0] ?? '';
  await recorder.say('SESSION.ROTATE', newest);
  await recorder.say('SESSION.GET', newest);
  await recorder.say('CUSTOM.GET', 'many');
  await recorder.say('SESSION.ASSIGN', rotated, 'another');
  await recorder.say('SESSION.ASSIGN', UNKNOWN_ID, 'another');
  await recorder.say('CUSTOM.GET', 'many');
  await recorder.say('CUSTOM.GET', 'another');
  await recorder.say('SESSION.DELETE', 'an-id-of-the-caller');
  await recorder.say('CUSTOM.GET', 'many');
  await recorder.say('SESSION.TOUCH', rotated);
  await recorder.say('SESSION.TTL', rotated);
  await recorder.say('SESSION.EXPIRE', rotated, '100', 'IDLE');
  await recorder.say('SESSION.EXPIRE', rotated, '0');
  await recorder.say('SESSION.TTL', rotated);
  await recorder.say('SESSION.DELUSER', 'many', 'BEFORE', '1');
  await recorder.say('SESSION.DELUSER', 'many', 'EXCEPT', UNKNOWN_ID);
  await recorder.say('SESSION.COUNT');
}

async function partsOfData(recorder: Recorder): Promise<void> {
  const id = await recorder.create('data');
  await recorder.say('SESSION.ADD_DATA', id, 'a', '1', 'b', '2', 'a', '3');
  await recorder.say('SESSION.GETALL', id);
  await recorder.say('SESSION.INCR_DATA', id, 'a', '-5');
  await recorder.say('SESSION.CAS', id, '1', 'c', 'no');
  await recorder.say('SESSION.CAS', id, '2', 'c', 'yes');
  await recorder.say('SESSION.DEL_DATA', id, 'a', 'b', 'x');
  await recorder.say('SESSION.INFO', id);
  await recorder.say('SESSION.SCAN', '0', 'MATCH', id, 'COUNT', '100000');
  await recorder.say('SESSION.DELETE', id);
}

/** Records what hashmap.wasm serves beside what every provider of CUSTOM.* does, on an empty server. */
export async function recordHashmap(raw: RawConnection): Promise<string[]> {
  const recorder = new Recorder(raw);
  await recorder.say('CUSTOM.MSET', 'a', '1', 'b', '2', 'a', '3');
  await recorder.say('CUSTOM.MGET', 'a', 'absent', 'b');
  await recorder.say('CUSTOM.SET', 'a', '4', 'NX', 'GET');
  await recorder.say('CUSTOM.SET', 'b', 'x', 'XX', 'PX', '100000');
  await recorder.say('CUSTOM.INCRBY', 'a', '-5');
  await recorder.say('CUSTOM.INCRBY', 'b', '1');
  await recorder.say('CUSTOM.APPEND', 'b', 'yz');
  await recorder.say('CUSTOM.STRLEN', 'b');
  await recorder.say('CUSTOM.MEMORY', 'a');
  await recorder.say('CUSTOM.EXPIRE', 'a', '100');
  await recorder.say('CUSTOM.PEXPIRE', 'a', '100000');
  await recorder.say('CUSTOM.PERSIST', 'a');
  await recorder.say('CUSTOM.TTL', 'a');
  await recorder.say('CUSTOM.PTTL', 'absent');
  await recorder.say('CUSTOM.SCAN', '0', 'MATCH', 'a', 'COUNT', '100000');
  await recorder.say('CUSTOM.GETDEL', 'a');
  await recorder.say('CUSTOM.LEN');
  await recorder.say('CUSTOM.CLEAR');
  return recorder.lines;
}

async function storage(recorder: Recorder): Promise<void> {
  await recorder.say('CUSTOM.KEYS');
  await recorder.say('CUSTOM.GET', 'key');
  await recorder.say('CUSTOM.SET', 'key', 'value');
  await recorder.say('CUSTOM.GET', 'key');
  await recorder.say('custom.set', 'key', 'another value');
  await recorder.say('CUSTOM.EXISTS', 'key');
  await recorder.say('CUSTOM.KEYS');
  await recorder.say('CUSTOM.DEL', 'key');
  await recorder.say('CUSTOM.DEL', 'key');
  await recorder.say('CUSTOM.EXISTS', 'key');
}

async function lives(recorder: Recorder): Promise<void> {
  await recorder.say('SESSION.LIST');
  const alice = await recorder.create('alice');
  await recorder.create('alice');
  await recorder.say('CUSTOM.GET', 'alice');
  await recorder.say('SESSION.GET', alice);
  await recorder.say('SESSION.ADD_DATA', alice, 'email', 'alice@example.org');
  await recorder.say('SESSION.ADD_DATA', alice, 'theme', 'dark');
  await recorder.say('SESSION.ADD_DATA', alice, 'email', '');
  await recorder.say('SESSION.GET_DATA', alice, 'email');
  await recorder.say('SESSION.GET_DATA', alice, 'absent');
  await recorder.say('SESSION.GET', alice);
  await recorder.create('bob');
  await recorder.list('CUSTOM.KEYS');
  await recorder.list('SESSION.LIST');
  await recorder.say('SESSION.DELETE', alice);
  await recorder.say('SESSION.DELETE', alice);
  await recorder.say('SESSION.GET', alice);
  await recorder.say('CUSTOM.GET', 'alice');
  await recorder.create('alice');
}

async function mappings(recorder: Recorder): Promise<void> {
  await recorder.say('CUSTOM.SET', 'carol', UNKNOWN_ID);
  await recorder.create('carol');
  await recorder.create('carol');
  await recorder.say('CUSTOM.SET', 'dave', UNKNOWN_ID);
  await recorder.create('dave');
  await recorder.say('CUSTOM.GET', 'dave');
  for (const mapped of ['', 'no id', '\r\n+INJECTED\0', UNKNOWN_ID.toUpperCase(), 'x'.repeat(36)]) {
    await recorder.say('CUSTOM.SET', 'erin', mapped);
    await recorder.create('erin');
    await recorder.say('CUSTOM.GET', 'erin');
  }
  const older = await recorder.create('frank');
  await recorder.say('CUSTOM.DEL', 'frank');
  await recorder.create('frank');
  await recorder.say('SESSION.DELETE', older);
  await recorder.say('CUSTOM.GET', 'frank');
}

async function bytes(recorder: Recorder): Promise<void> {
  for (const [, difficult] of DIFFICULT_BYTES) {
    const id = await recorder.create(difficult);
    await recorder.create(difficult);
    await recorder.say('CUSTOM.GET', difficult);
    await recorder.say('SESSION.ADD_DATA', id, difficult, difficult);
    await recorder.say('SESSION.GET_DATA', id, difficult);
    await recorder.say('SESSION.GET', id);
    await recorder.say('CUSTOM.SET', 'value', difficult);
    await recorder.say('CUSTOM.GET', 'value');
    await recorder.say('SESSION.DELETE', id);
    await recorder.say('CUSTOM.EXISTS', difficult);
  }
}

async function refusals(recorder: Recorder): Promise<void> {
  for (const id of [UNKNOWN_ID.replace('0', '1'), 'no id', '', 'x\r\n+INJECTED\0', 'i'.repeat(200)]) {
    await recorder.say('SESSION.GET', id);
    await recorder.say('SESSION.ADD_DATA', id, 'field', 'value');
    await recorder.say('SESSION.GET_DATA', id, 'field');
    await recorder.say('SESSION.DELETE', id);
  }
  const commands = ['CUSTOM.SET', 'CUSTOM.GET', 'CUSTOM.DEL', 'CUSTOM.EXISTS', 'SESSION.CREATE', 'SESSION.GET', 'SESSION.ADD_DATA'];
  for (const command of [...commands, 'SESSION.GET_DATA', 'SESSION.DELETE']) await recorder.say(command);
}
