/**
 * Whether sessions that expire all at once disturb other clients.
 * One connection sends PING again and again while sessions are reclaimed that expired in one second.
 * Its latency is compared with that on the same server before.
 * The measure also tells whether memory comes back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { drive, type Connection } from '../lib/connection.ts';
import { batches, creating, encode } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { withServer, type MeasuredServer } from '../lib/server.ts';
import { PIPELINE } from '../lib/sizes.ts';

const SESSIONS = 1_000_000;
const CONNECTIONS = 8;
const SLICE = 50_000;
/** Time that creating them may take, in s: they end this long after the first. */
const LEAD_S = 120;
const IDLE_MS = 10_000;
const PATIENCE_MS = 300_000;
const ASK_EVERY_MS = 250;

const PING = { request: encode(['PING']), replyBytes: '+PONG\r\n'.length, operations: 1 };

/** Latencies of PING in µs, until `until` says so. */
async function pings(connection: Connection, until: () => boolean): Promise<number[]> {
  const all: number[] = [];
  while (!until()) {
    const begun = performance.now();
    await connection.send(PING);
    all.push((performance.now() - begun) * 1000);
  }
  return all.sort((one, other) => one - other);
}

const percentile = (sorted: number[], share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

async function fill(connections: Connection[], end_s: number): Promise<void> {
  for (let from = 0; from < SESSIONS; from += SLICE) {
    const ttl = String(end_s - Math.floor(Date.now() / 1000));
    const create = creating('Session created', (number) => [`user:${number}`, 'TTL', ttl]);
    await drive(connections, batches(create, from, from + SLICE, PIPELINE));
  }
}

/** Pings until no session is left. `asking` is a connection of its own. */
async function pingsWhileExpiring(pinging: Connection, asking: Connection): Promise<number[]> {
  let left = SESSIONS;
  let last = 0;
  const begun = performance.now();
  return pings(pinging, () => {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`${left} sessions are left`);
    if (left > 0 && performance.now() - last > ASK_EVERY_MS) {
      last = performance.now();
      void asking.ask(['SESSION.COUNT']).then((reply) => (left = Number(reply.slice(1))));
    }
    return left === 0;
  });
}

/** Prints latencies while the sessions expire, over those of the idle server. */
function printLatencies(print: Context['print'], busy: number[], idle: number[]): void {
  for (const share of [0.5, 0.99, 0.999, 0.9999]) {
    const [one, other] = [percentile(busy, share), percentile(idle, share)];
    print(`PING p${share * 100} while they expire / idle`, (one / other).toFixed(2), `${one.toFixed(0)} and ${other.toFixed(0)} µs`);
  }
  print('the longest PING while they expire', `${percentile(busy, 1).toFixed(0)} µs`, `idle ${percentile(idle, 1).toFixed(0)} µs`);
}

async function measure(measured: MeasuredServer, print: Context['print']): Promise<void> {
  const connections = await measured.connections(CONNECTIONS);
  const [pinging, asking] = [await measured.connection(), await measured.connection()];
  const end_s = Math.floor(Date.now() / 1000) + LEAD_S;
  const empty = measured.residentBytes();
  await fill(connections, end_s);
  const full = measured.residentBytes();
  const idleUntil = performance.now() + IDLE_MS;
  const idle = await pings(pinging, () => performance.now() > idleUntil);
  if (Date.now() > end_s * 1000 - 2000) throw new Error('creating the sessions took too long');
  await sleep(end_s * 1000 - Date.now());
  const [begun, cpu] = [performance.now(), measured.cpuNs()];
  const busy = await pingsWhileExpiring(pinging, asking);
  const took_s = (performance.now() - begun) / 1000;
  printLatencies(print, busy, idle);
  const cpu_s = (measured.cpuNs() - cpu) / 1e9;
  print('all reclaimed after', `${took_s.toFixed(1)} s`, `${cpu_s.toFixed(1)} s of CPU, PING included`);
  const kept = (measured.residentBytes() - empty) / (full - empty);
  print('resident memory of them that is left', kept.toFixed(3), `${((full - empty) / SESSIONS).toFixed(0)} bytes each before`);
  const info = await asking.ask(['INFO', 'wasm']);
  for (const field of ['wasm_session_memory_reserved', 'wasm_session_memory_used', 'wasm_session_expired']) {
    print(field, new RegExp(`${field}:(\\d+)`).exec(info)?.[1] ?? '?', '');
  }
}

export const expiry: Measure = {
  name: 'expiry',
  summary: `latency of PING while ${SESSIONS.toLocaleString('en')} sessions expire in the same second, over the same when idle (only when named)`,
  onlyWhenNamed: true,
  run({ server, print }) {
    return withServer(server, {}, (measured) => measure(measured, print));
  },
};
