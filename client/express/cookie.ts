/**
 * A session's cookie: its field on the server, and the limits of the session that follow from it. Times go to
 * the server as durations, and come from it as such: its clock and those of the applications need not agree.
 * So `expires` is not stored.
 */
import { ArgumentError, shown } from '../arguments.ts';

/** The cookie's field. */
export const COOKIE = 'cookie';

export interface LimitOptions {
  rolling: boolean;
  /** seconds, for a cookie without maxAge */
  idle_s: number;
  /** seconds, for every session */
  lifetime_s: number | undefined;
}

/** The limits of a session on the server; undefined: none of this kind. */
export interface Limits {
  /** The cookie's maxAge is 0 or less: the session has ended. */
  isOver: boolean;
  /** the cookie's maxAge in ms, null without one */
  maxAge_ms: number | null;
  idle_s: number | undefined;
  ttl_s: number | undefined;
}

/** The properties of a cookie that tell of its time; `originalExpires` is that of @fastify/session. */
const TIMES: ReadonlySet<string> = new Set(['originalMaxAge', 'maxAge', 'expires', 'originalExpires']);

interface CookieLike {
  originalMaxAge?: unknown;
  maxAge?: unknown;
  expires?: unknown;
}

/** The longest time without access that the server takes: 136 years. */
export const IDLE_MAX_S = 0xffff_ffff;

/** The longest time that a session may live, from now on: until the end of the year 9999. */
export function ttlMax_s(): number {
  return Math.floor((Date.UTC(10_000, 0) - 1 - Date.now()) / 1000);
}

/**
 * The limits that the cookie of a request stands for.
 * @throws ArgumentError that names what is no time, or a longer one than the server takes
 */
export function checkedLimitsOf(cookie: CookieLike, options: LimitOptions): Limits {
  const { originalMaxAge, expires } = cookie;
  // A number as the age, and a Date or nothing as the end, are right in themselves.
  const isPlain = typeof originalMaxAge === 'number' && (!isSet(expires) || expires instanceof Date);
  if (!isPlain) sourceOf(cookie);
  const limits = limitsOf(cookie, options);
  const { maxAge_ms } = limits;
  if (maxAge_ms === null) return limits;
  const max_s = options.rolling ? IDLE_MAX_S : ttlMax_s();
  if (Number.isFinite(maxAge_ms) && ageOf(maxAge_ms) <= max_s) return limits;
  const { argument, expected } = sourceOf(cookie);
  throw new ArgumentError(
    argument,
    Number.isFinite(maxAge_ms) ? `at most ${max_s} seconds from now on, not ${ageOf(maxAge_ms)}` : expected,
  );
}

/** The property that a cookie's time is told by, and what it should be. */
function sourceOf({ originalMaxAge, maxAge, expires }: CookieLike): { argument: string; expected: string } {
  if (isSet(expires)) {
    const source = { argument: 'session.cookie.expires', expected: 'a valid Date' };
    if (!(expires instanceof Date) && typeof expires !== 'string')
      throw new ArgumentError(source.argument, `${source.expected}, not ${shown(expires)}`);
    // The cookie of express-session sets originalMaxAge to NaN when its expires is set to what is no moment.
    if (typeof originalMaxAge !== 'number' || Number.isNaN(originalMaxAge)) return source;
  }
  const age = isSet(originalMaxAge) ? originalMaxAge : maxAge;
  const source = { argument: 'session.cookie.maxAge', expected: `milliseconds, not ${shown(age)}` };
  if (isSet(age) && typeof age !== 'number') throw new ArgumentError(source.argument, source.expected);
  return source;
}

/** The limits that a cookie's field stands for. */
export function limitsOfText(text: string, options: LimitOptions): Limits {
  return limitsOf(attributesOf(text), options);
}

/** The limits that a cookie stands for. */
function limitsOf(cookie: CookieLike, options: LimitOptions): Limits {
  const maxAge_ms = maxAgeOf(cookie);
  const { lifetime_s } = options;
  if (maxAge_ms === null) return { isOver: false, maxAge_ms, idle_s: options.idle_s, ttl_s: lifetime_s };
  const age_s = ageOf(maxAge_ms);
  const isOver = maxAge_ms <= 0;
  if (options.rolling) return { isOver, maxAge_ms, idle_s: age_s, ttl_s: lifetime_s };
  return { isOver, maxAge_ms, idle_s: undefined, ttl_s: Math.min(age_s, lifetime_s ?? age_s) };
}

function ageOf(maxAge_ms: number): number {
  return Math.max(1, Math.ceil(maxAge_ms / 1000));
}

/** In ms; null: none. NaN where it is no time. */
function maxAgeOf({ originalMaxAge, maxAge, expires }: CookieLike): number | null {
  if (typeof originalMaxAge === 'number') return originalMaxAge;
  if (isSet(expires)) return new Date(expires as string | Date).getTime() - Date.now();
  return typeof maxAge === 'number' ? maxAge : null;
}

/** express-session takes false for none, too. */
function isSet(time: unknown): boolean {
  return time !== null && time !== undefined && time !== false;
}

/** The cookie's field: without the moments in it, which are of the clock of this process. */
export function cookieText(cookie: object, { maxAge_ms }: Limits): string {
  const stored: Record<string, unknown> = { originalMaxAge: maxAge_ms };
  for (const [name, value] of untimedOf(shownOf(cookie))) stored[name] = value;
  return JSON.stringify(stored);
}

/**
 * What express-session makes its cookie of.
 * @param left_ms - what is left of the session's time; undefined: all of its maxAge, for reading it was a
 *   request
 */
export function cookieOf(text: string, left_ms?: number): Record<string, unknown> {
  const cookie = attributesOf(text);
  const { originalMaxAge } = cookie;
  if (typeof originalMaxAge !== 'number') return { ...cookie, originalMaxAge: null };
  return { ...cookie, expires: new Date(Date.now() + (left_ms ?? originalMaxAge)) };
}

/** What JSON has of a cookie. */
function shownOf(cookie: object): Readonly<Record<string, unknown>> {
  const { toJSON } = cookie as { toJSON?: unknown };
  return (typeof toJSON === 'function' ? toJSON.call(cookie) : cookie) as Readonly<Record<string, unknown>>;
}

/** Whether the field stands for this cookie, its times aside. Says no where an attribute is an object. */
export function isCookie(cookie: object, text: string): boolean {
  const [shown, stored] = [shownOf(cookie), attributesOf(text)];
  const isSame = (name: string): boolean => TIMES.has(name) || shown[name] === stored[name];
  return Object.keys(shown).every(isSame) && Object.keys(stored).every(isSame);
}

/**
 * Whether both cookies have a maxAge, or neither: where it is as long as the limits of a session without one,
 * the limits do not tell.
 */
export function sameKind(one: Limits, other: Limits): boolean {
  return (one.maxAge_ms === null) === (other.maxAge_ms === null);
}

/** Whether two fields stand for the same cookie, its times aside: they are compared as limits. */
export function sameCookie(one: string, other: string): boolean {
  return one === other || untimed(one) === untimed(other);
}

function untimed(text: string): string {
  return JSON.stringify(untimedOf(attributesOf(text)).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function untimedOf(cookie: object): [string, unknown][] {
  return Object.entries(cookie).filter(([name]) => !TIMES.has(name));
}

function attributesOf(text: string): Readonly<Record<string, unknown>> {
  if (text === latest.text) return latest.attributes;
  const attributes = parsed(text);
  // An object in it would be the same in two sessions.
  if (Object.values(attributes).every((value) => typeof value !== 'object' || value === null)) latest = { text, attributes };
  return attributes;
}

/** Nearly all sessions of a site have the same. */
let latest: { text: string; attributes: Readonly<Record<string, unknown>> } = { text: '', attributes: {} };

function parsed(text: string): Record<string, unknown> {
  try {
    const cookie: unknown = JSON.parse(text);
    return typeof cookie === 'object' && cookie !== null ? { ...cookie } : {};
  } catch {
    return {};
  }
}
