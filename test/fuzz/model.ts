/**
 * What CUSTOM.* and SESSION.* do, in plain TypeScript: two maps and no care for speed. Byte strings are JavaScript strings of one character per
 * byte. The model says what a reply must be; the one thing that it takes from a reply is the id of a new session.
 */

interface Session {
  user: string;
  created: number;
  accessed: number;
  data: Map<string, string>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ECHO_BYTES = 128;

export const bulk = (bytes: string) => `$${bytes.length}\r\n${bytes}\r\n`;
const NULL = '$-1\r\n';
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
/** Bytes as a JSON string, in UTF-8, one character per byte. */
const json = (bytes: string) => Buffer.from(JSON.stringify(decoder.decode(Buffer.from(bytes, 'latin1')))).toString('latin1');
const time = (ms: number) => new Date(ms).toISOString();
const count = (wanted: boolean) => (wanted ? ':1\r\n' : ':0\r\n');

/** A reply in a form that can be compared: arrays, and the fields in a session's JSON, have no order. */
export function comparable(reply: string): string {
  if (reply.startsWith('*')) return parse(reply).sort().join('\n');
  const data = /^([^]*,"data":\{)([^]*)(\}\}\r\n)$/.exec(reply);
  if (!data) return reply;
  const fields = data[2]!.match(/"(?:[^"\\]|\\.)*":"(?:[^"\\]|\\.)*"/g) ?? [];
  return `${data[1]}${fields.sort().join(',')} in ${data[2]!.length}${data[3]}`;
}

function parse(reply: string): string[] {
  const elements: string[] = [];
  let rest = reply.slice(reply.indexOf('\r\n') + 2);
  while (rest !== '') {
    const start = rest.indexOf('\r\n') + 2;
    const length = Number(rest.slice(1, start - 2));
    elements.push(rest.slice(start, start + length));
    rest = rest.slice(start + length + 2);
  }
  return elements;
}

export class Model {
  readonly storage = new Map<string, string>();
  readonly sessions = new Map<string, Session>();

  /**
   * What the command must reply, and what it does.
   * @param now the time of the command, in ms
   * @param actual what it did reply
   */
  reply(argv: string[], now: number, actual: string): string {
    const [name = '', ...args] = argv;
    const handler = this.#commands[name.toUpperCase()];
    if (!handler) throw new Error(`the model has no ${name}`);
    if (args.length !== handler.arity) return `-ERR wrong number of arguments for '${name.toLowerCase()}' command\r\n`;
    return handler.run(args, now, actual);
  }

  readonly #commands: Record<string, { arity: number; run: (args: string[], now: number, actual: string) => string }> = {
    'CUSTOM.SET': { arity: 2, run: ([key, value]) => (this.storage.set(key!, value!), '+OK\r\n') },
    'CUSTOM.GET': { arity: 1, run: ([key]) => (this.storage.has(key!) ? bulk(this.storage.get(key!)!) : NULL) },
    'CUSTOM.DEL': { arity: 1, run: ([key]) => count(this.storage.delete(key!)) },
    'CUSTOM.EXISTS': { arity: 1, run: ([key]) => count(this.storage.has(key!)) },
    'CUSTOM.KEYS': { arity: 0, run: () => `*${this.storage.size}\r\n${[...this.storage.keys()].map(bulk).join('')}` },
    'SESSION.CREATE': { arity: 1, run: ([user], now, actual) => this.#create(user!, now, actual) },
    'SESSION.GET': { arity: 1, run: ([id]) => this.#get(id!) },
    'SESSION.LIST': { arity: 0, run: () => `*${this.sessions.size}\r\n${this.list().map(bulk).join('')}` },
    'SESSION.ADD_DATA': { arity: 3, run: ([id, field, value], now) => this.#addData(id!, field!, value!, now) },
    'SESSION.GET_DATA': { arity: 2, run: ([id, field], now) => this.#getData(id!, field!, now) },
    'SESSION.DELETE': { arity: 1, run: ([id]) => this.#delete(id!) },
    FLUSHALL: { arity: 0, run: () => (this.storage.clear(), this.sessions.clear(), '+OK\r\n') },
    // Nothing that the model knows may change by these.
    'DEBUG RELOAD': { arity: 0, run: () => '+OK\r\n' },
  };

  /** The lines of SESSION.LIST. */
  list(): string[] {
    return [...this.sessions].map(([id, { user, created }]) => `ID: ${id}, Key: ${user}, Created: ${time(created)}`);
  }

  #create(user: string, now: number, actual: string): string {
    const mapped = this.storage.get(user);
    if (mapped !== undefined && UUID.test(mapped)) {
      const session = this.sessions.get(mapped);
      if (!session) return this.#insert(mapped, user, now, 'recreated');
      if (session.user === user) {
        session.accessed = now;
        return `+Session exists: ${mapped}\r\n`;
      }
    }
    const id = actual.slice('+Session created: '.length, -2);
    if (!UUID.test(id) || this.sessions.has(id)) return '+Session created: a new id\r\n';
    this.storage.set(user, id);
    return this.#insert(id, user, now, 'created');
  }

  #insert(id: string, user: string, now: number, how: string): string {
    this.sessions.set(id, { user, created: now, accessed: now, data: new Map() });
    return `+Session ${how}: ${id}\r\n`;
  }

  #get(id: string): string {
    const session = this.sessions.get(id);
    if (!session) return NULL;
    const data = [...session.data].map(([field, value]) => `${json(field)}:${json(value)}`).join(',');
    const times = `"created_at":"${time(session.created)}","last_accessed":"${time(session.accessed)}"`;
    return bulk(`{"id":"${id}","user_key":${json(session.user)},${times},"data":{${data}}}`);
  }

  #notFound(id: string): string {
    return `-Session not found: ${id.slice(0, ECHO_BYTES).replace(/[\r\n\0]/g, ' ')}\r\n`;
  }

  #addData(id: string, field: string, value: string, now: number): string {
    const session = this.sessions.get(id);
    if (!session) return this.#notFound(id);
    session.data.set(field, value);
    session.accessed = now;
    return '+OK\r\n';
  }

  #getData(id: string, field: string, now: number): string {
    const session = this.sessions.get(id);
    if (!session) return this.#notFound(id);
    session.accessed = now;
    const value = session.data.get(field);
    return value === undefined ? NULL : bulk(value);
  }

  #delete(id: string): string {
    const session = this.sessions.get(id);
    if (!session) return ':0\r\n';
    if (this.storage.get(session.user) === id) this.storage.delete(session.user);
    this.sessions.delete(id);
    return ':1\r\n';
  }
}
