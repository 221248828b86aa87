/**
 * What CUSTOM.* and SESSION.* do, in plain TypeScript: maps and no care for speed. Byte strings are
 * JavaScript strings of one character per byte. The model says what a reply must be; the one thing that it
 * takes from a reply is the id of a new session.
 */
import { pairs, parseReply, type Reply } from '../support/reply.ts';
import { OK, Sessions, type SessionSettings } from './sessions.ts';
import { Storage } from './storage.ts';

/** Commands whose arrays have an order, and those whose arrays are pairs without one. */
const ORDERED = ['SESSION.USER', 'CUSTOM.MGET'];
const PAIRED = ['SESSION.GETALL'];

/**
 * A reply in a form that can be compared: most arrays, and the fields in a session's JSON, have no order;
 * INFO's bytes are its own.
 */
export function comparable(reply: string, name = ''): string {
  const command = name.toUpperCase();
  if (command === 'SESSION.INFO') return reply.replace(/(\$5\r\nbytes\r\n):\d+\r\n$/, '$1');
  if (PAIRED.includes(command) && reply.startsWith('$')) return linesOf(reply);
  if (reply.startsWith('*') && !ORDERED.includes(command)) {
    const elements = parseReply(reply) as Reply[];
    return JSON.stringify((PAIRED.includes(command) ? pairs(elements) : elements).map((one) => JSON.stringify(one)).sort());
  }
  const data = /^([^]*,"data":\{)([^]*)(\}\}\r\n)$/.exec(reply);
  if (!data) return reply;
  const fields = data[2]!.match(/"(?:[^"\\]|\\.)*":"(?:[^"\\]|\\.)*"/g) ?? [];
  return `${data[1]}${fields.sort().join(',')} in ${data[2]!.length}${data[3]}`;
}

/** The pairs of lines in some order. */
function linesOf(reply: string): string {
  const text = parseReply(reply) as string | null;
  if (text === null) return reply;
  const lines = text.split('\n');
  return JSON.stringify([
    lines.pop(),
    ...pairs(lines)
      .map((pair) => JSON.stringify(pair))
      .sort(),
  ]);
}

export class Model {
  readonly storage = new Storage();
  readonly sessions: Sessions;

  constructor(settings?: SessionSettings) {
    this.sessions = new Sessions(this.storage, settings);
  }

  /**
   * What the command must reply, and what it does.
   * @param now the time of the command, in ms
   * @param actual what it did reply
   */
  reply(argv: string[], now: number, actual: string): string {
    const [given = '', ...args] = argv;
    const name = given.toUpperCase();
    this.storage.at(now);
    if (name.startsWith('SESSION.')) return this.sessions.reply(name, args, now, actual);
    if (name.startsWith('CUSTOM.')) return this.storage.reply(name, args);
    if (name === 'FLUSHALL') {
      this.storage.clear();
      this.sessions.clear();
    } else if (name !== 'DEBUG RELOAD') throw new Error(`the model has no ${name}`);
    return OK;
  }

  /** Whether nothing has expired within so many ms, which a sweep may not have come to. */
  isSettled(now: number, within: number): boolean {
    return this.sessions.isSettled(now, within);
  }

  /** Reclaims all that has expired. */
  sweep(now: number): void {
    this.sessions.sweep(now);
  }
}
