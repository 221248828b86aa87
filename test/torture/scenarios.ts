/**
 * What the torture does to servers. Each scenario is a function of a seed: what the writers send, when the
 * server saves, is killed or finds its disk full, all counted in acknowledged operations. It answers what
 * happened, and throws a Violation when a promise is broken.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { random } from '../../bench/lib/random.ts';
import type { RawConnection } from '../support/raw.ts';
import { eventually, TestServer, type LinkMode } from '../support/server.ts';
import { dump } from '../support/state.ts';
import { check, Violation, type Operation } from './history.ts';
import { Load } from './load.ts';
import { replaceModules } from './replace.ts';
import { addBallast, addNativeKeys, checked, CHECKS, readState } from './state.ts';

export interface Options {
  seed: number;
  link: LinkMode;
  /** How often the server is killed, or a link is cut; ignored where it happens once. */
  rounds: number;
  /** Takes lines for the person who watches. */
  tell?: (line: string) => void;
}

/** What happened, for the person who watches. */
export type Outcome = Record<string, number>;

export interface Scenario {
  name: string;
  run: (options: Options) => Promise<Outcome>;
}

interface Kills {
  kills: number;
  'during a save': number;
}

/** How a server persists, and what may be missing after a crash. */
type Policy = 'always' | 'everysec' | 'rdb';

/**
 * How long the server keeps written operations to itself with appendfsync everysec, in ms: it waits for a
 * slow fsync that long. A kill takes nothing that it has handed to the system.
 */
const EVERYSEC_MS = 2000;
const ROUND_MIN = 300;
const ROUND_SPREAD = 1500;
/**
 * Every so many rounds with everysec, one lasts longer than what may be missing: its operations times this.
 */
const LONG_ROUND = 5;
const LONG_ROUND_FACTOR = 30;
const SAVE_KEY_DELAY_US = 100;
const TIMEOUT_MS = 30_000;

const ARGUMENTS: Record<Policy, string[]> = {
  always: ['--appendonly', 'yes', '--appendfsync', 'always'],
  everysec: ['--appendonly', 'yes', '--appendfsync', 'everysec'],
  // A save point that is never reached: with one, a save that failed stops the writes.
  rdb: ['--save', '100000 1000000000'],
};

/**
 * Rounds of writing, with rewrites and saves begun at random, each ended by SIGKILL and judged by what
 * `promised` says.
 */
export async function crash(policy: Policy, promised: Policy, { seed, link, rounds }: Options): Promise<Outcome> {
  const draw = random(seed);
  const outcome = { kills: 0, 'during a save': 0, 'with a minimum': 0, acknowledged: 0, 'of these missing': 0 };
  const slowSaves = ['--rdb-key-save-delay', String(SAVE_KEY_DELAY_US), '--hz', '100'];
  await withServer({ link, arguments: [...ARGUMENTS[policy], ...slowSaves] }, async (server) => {
    const load = new Load(seed);
    await addBallast(server);
    if (policy === 'rdb') await save(server, load);
    for (let round = 1; round <= rounds; round++) {
      const minimum = { clock: 0 };
      planRound(server, load, policy, draw, minimum, policy === 'everysec' && round % LONG_ROUND === 0, outcome);
      await load.run(server);
      const killed_ms = Date.now();
      if (outcome.kills !== round) throw new Violation(`the server ended by itself:\n${server.log.slice(-2000)}`);
      if (minimum.clock > 0) outcome['with a minimum']++;
      await server.start();
      const states = await readState(server);
      const mustBeThere = {
        always: ({ acknowledged }: Operation) => acknowledged !== Infinity,
        everysec: ({ acknowledged, acknowledged_ms }: Operation) =>
          acknowledged <= minimum.clock || acknowledged_ms < killed_ms - EVERYSEC_MS,
        rdb: ({ acknowledged }: Operation) => acknowledged <= minimum.clock,
      };
      outcome['of these missing'] += check(load.writers, states, mustBeThere[promised]);
      load.adopt(states);
      await addNativeKeys(server);
    }
    outcome.acknowledged = load.acknowledged;
  });
  return outcome;
}

/**
 * Plans one round: when the minimum that must survive is taken, when a rewrite or save begins, and when the
 * kill comes.
 */
function planRound(
  server: TestServer,
  load: Load,
  policy: Policy,
  draw: () => number,
  minimum: { clock: number },
  isLong: boolean,
  outcome: Kills,
): void {
  const count = (ROUND_MIN + Math.floor(draw() * ROUND_SPREAD)) * (isLong ? LONG_ROUND_FACTOR : 1);
  // Most rounds end during a save: it begins shortly before the kill.
  const [withSave, shortly, early] = [draw() < 0.8, Math.floor(draw() * 100), Math.floor(draw() * count)];
  const begin = draw() < 0.7 ? Math.max(1, count - shortly) : early;
  const end = () => {
    if (withSave) load.after(begin, () => tolerate(beginSave(server, policy)));
    load.after(count, () => crashNow(server, outcome));
  };
  if (policy === 'rdb') {
    // The kill is counted from the end of a save on.
    load.after(early, () => save(server, load, minimum).then(end));
    return;
  }
  load.after(Math.floor(count / 2), () => tolerate(flushed(server, load, minimum)));
  end();
}

/** Kills the server and its saving children, as a crash of the machine does. */
export async function crashNow(server: TestServer, outcome: Kills): Promise<void> {
  const killed = server.kill();
  // A child that went on would hold the server's output open, and replace files under the next server.
  for (let left = processesIn(server.folder); left.length > 0; left = processesIn(server.folder)) {
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await killed;
  outcome.kills++;
  const files = temporaryFiles(server);
  if (files.length > 0) outcome['during a save']++;
  // Counted once; the next server does not look at them.
  for (const file of files) rmSync(file);
}

/** Files of saves that are being written, or were when the server was killed. */
function temporaryFiles({ folder }: TestServer): string[] {
  const folders = [folder, path.join(folder, 'appendonlydir')];
  return folders.flatMap((one) =>
    readdirIfThere(one)
      .filter((name) => name.startsWith('temp-'))
      .map((name) => path.join(one, name)),
  );
}

/** The processes whose working folder is `folder`. */
function processesIn(folder: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}

function readdirIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What a server is asked while it may be killed: that it does not answer any more is no failure. */
async function tolerate(question: Promise<unknown>): Promise<void> {
  try {
    await question;
  } catch (error) {
    if (error instanceof Violation) throw error;
  }
}

/** Begins a rewrite of the append-only file, or a save in the background. */
async function beginSave(server: TestServer, policy: Policy): Promise<void> {
  await server.send(policy === 'rdb' ? 'BGSAVE' : 'BGREWRITEAOF');
}

/** Saves in the background; once that has succeeded, `saved.clock` is the moment before it began. */
async function save(server: TestServer, load: Load, saved = { clock: 0 }): Promise<void> {
  const clock = load.clock;
  const connection = await server.connect();
  const begun = await connection.send('BGSAVE');
  // Another one is running, which began at an unknown moment.
  if (begun.startsWith('-')) return;
  const status = await poll(connection, (info) => info.includes('rdb_bgsave_in_progress:0'));
  if (!status.includes('rdb_last_bgsave_status:ok')) throw new Violation(`a save failed:\n${server.log.slice(-1000)}`);
  saved.clock = clock;
}

/** Once the server has handed all that it was sent before to the system, `saved.clock` is that moment. */
async function flushed(server: TestServer, load: Load, saved: { clock: number }): Promise<void> {
  const clock = load.clock;
  await poll(await server.connect(), (info) => info.includes('aof_buffer_length:0\r\n'));
  saved.clock = clock;
}

async function poll(connection: RawConnection, accepted: (info: string) => boolean): Promise<string> {
  return eventually(() => connection.send('INFO', 'persistence'), accepted, TIMEOUT_MS);
}

/**
 * A disk that fills up under the writers: nothing acknowledged is lost, and with room again the server goes
 * on.
 */
async function fullDisk(policy: Policy, { seed, link }: Options): Promise<Outcome> {
  const draw = random(seed);
  // A write over the limit is an error, as on a full disk, and no signal.
  const under = ['sh', '-c', 'trap "" XFSZ; exec "$@"', 'sh'];
  const outcome = { kills: 0, 'during a save': 0, refused: 0, acknowledged: 0, 'of these missing': 0 };
  await withServer({ link, under, arguments: ARGUMENTS[policy] }, async (server) => {
    const load = new Load(seed);
    await addBallast(server);
    const saved = { clock: 0 };
    if (policy === 'rdb') await save(server, load, saved);
    load.after(1 + Math.floor(draw() * ROUND_MIN), async () => {
      if (policy === 'rdb') await save(server, load, saved);
      limitFiles(server, policy === 'rdb' ? 4096 : largestFile(server) + Math.floor(draw() * 100_000));
      if (policy === 'rdb') await beginSave(server, policy);
    });
    const ends = await load.run(server);
    outcome.refused = ends.filter((end) => end === 'refused').length;
    const expected = policy === 'always' ? 'disconnected' : 'refused';
    if (ends.some((end) => end !== expected))
      throw new Violation(`with a full disk the writers ended ${ends.join(', ')}:\n${server.log.slice(-500)}`);
    // Only with always the server ends, and says why.
    if (policy === 'always' && !server.log.includes('AOF write error'))
      throw new Violation(`the server ended:\n${server.log.slice(-2000)}`);
    if (policy !== 'always') await goOn(server, load, policy, saved);
    await crashNow(server, outcome);
    await server.start();
    outcome['of these missing'] = check(load.writers, await readState(server), ({ acknowledged }) =>
      policy === 'always' ? acknowledged !== Infinity : acknowledged <= saved.clock,
    );
    outcome.acknowledged = load.acknowledged;
  });
  return outcome;
}

/** Gives the disk room again, waits until the server has taken note of it, and lets the writers write on. */
async function goOn(server: TestServer, load: Load, policy: Policy, saved: { clock: number }): Promise<void> {
  limitFiles(server, undefined);
  if (policy === 'rdb') await save(server, load, saved);
  else {
    const info = await poll(await server.connect(), (text) => text.includes('aof_last_write_status:ok'));
    if (!info.includes('aof_last_write_status:ok')) throw new Violation('the server does not write on with room on the disk');
    await flushed(server, load, saved);
  }
  load.after(ROUND_MIN, () => load.stop());
  const ends = await load.run(server);
  if (ends.some((end) => end !== 'stopped')) throw new Violation(`with room on the disk the writers ended ${ends.join(', ')}`);
  if (policy === 'everysec') await flushed(server, load, saved);
}

/** The most bytes that a file of the server may have from now on; undefined: as many as it likes. */
function limitFiles(server: TestServer, bytes: number | undefined): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes ?? 'unlimited'}:`], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`prlimit failed: ${stderr}`);
}

function largestFile(server: TestServer): number {
  const folder = path.join(server.folder, 'appendonlydir');
  return Math.max(0, ...readdirIfThere(folder).map((name) => statSync(path.join(folder, name)).size));
}

/**
 * Two replicas, one linked in the other way, whose links are cut at random: all three end with the same
 * state, which is what was written.
 */
async function cutLinks({ seed, link, rounds }: Options): Promise<Outcome> {
  const draw = random(seed);
  const outcome = { cuts: 0, 'full synchronisations': 0, acknowledged: 0 };
  // With the smallest backlog some cuts end in a full synchronisation, with a large one in a partial one.
  const backlog = draw() < 0.5 ? '16kb' : '10mb';
  const diskless = draw() < 0.5 ? 'yes' : 'no';
  const primaryArguments = ['--repl-backlog-size', backlog, '--repl-diskless-sync', diskless];
  const other: LinkMode = link === 'auto' ? 'command' : 'auto';
  await withServer({ link, tcp: true, arguments: primaryArguments }, (primary) =>
    withServer({ link }, (one) =>
      withServer({ link: other }, async (two) => {
        const load = new Load(seed);
        await addBallast(primary);
        const replicas = [one, two];
        for (const replica of replicas) await replica.send('REPLICAOF', '127.0.0.1', String(primary.port));
        const ends = [[primary, 'replica'] as const, [one, 'master'] as const, [two, 'master'] as const];
        const cut = async (): Promise<void> => {
          for (const replica of replicas) await linked(replica);
          const [server, type] = ends[Math.floor(draw() * ends.length)]!;
          outcome.cuts += Number(/^:(\d+)/.exec(await server.send('CLIENT', 'KILL', 'TYPE', type))?.[1] ?? 0);
          planNext();
        };
        let left = rounds;
        const planNext = () => {
          load.after(1 + Math.floor(draw() * ROUND_SPREAD), left-- > 0 ? cut : () => load.stop());
        };
        planNext();
        const ended = await load.run(primary);
        if (ended.some((end) => end !== 'stopped')) throw new Violation(`the writers ended ${ended.join(', ')}`);
        outcome.acknowledged = load.acknowledged;
        outcome['full synchronisations'] = Number((await primary.info('stats')).sync_full);
        await converge(primary, replicas, load);
      }),
    ),
  );
  return outcome;
}

/**
 * A primary that crashes, a replica that takes its place, and the old primary that follows it, again and
 * again: what the replica had confirmed is there, what it has is a moment of the primary's past, and at the
 * end both have the same.
 */
async function failover({ seed, link, rounds }: Options): Promise<Outcome> {
  const draw = random(seed);
  const outcome = { kills: 0, 'during a save': 0, 'with a minimum': 0, acknowledged: 0, 'of these missing': 0 };
  const other: LinkMode = link === 'auto' ? 'command' : 'auto';
  await withServer({ link, tcp: true }, (one) =>
    withServer({ link: other, tcp: true }, async (two) => {
      const load = new Load(seed);
      await addBallast(one);
      let [primary, replica] = [one, two];
      for (let round = 0; round < rounds; round++) {
        await replica.send('REPLICAOF', '127.0.0.1', String(primary.port));
        await linked(replica);
        const confirmed = { clock: 0 };
        const [crashing, count] = [primary, ROUND_MIN + Math.floor(draw() * ROUND_SPREAD)];
        load.after(Math.floor(draw() * count), () => tolerate(replicated(crashing, load, confirmed)));
        load.after(count, () => crashNow(crashing, outcome));
        await load.run(primary);
        if (confirmed.clock > 0) outcome['with a minimum']++;
        await replica.send('REPLICAOF', 'NO', 'ONE');
        const states = await readState(replica);
        outcome['of these missing'] += check(load.writers, states, ({ acknowledged }) => acknowledged <= confirmed.clock);
        load.adopt(states);
        await primary.start();
        [primary, replica] = [replica, primary];
      }
      await replica.send('REPLICAOF', '127.0.0.1', String(primary.port));
      load.after(ROUND_MIN, () => load.stop());
      await load.run(primary);
      outcome.acknowledged = load.acknowledged;
      await converge(primary, [replica], load);
    }),
  );
  return outcome;
}

/** Once a replica has confirmed all that was sent before, `confirmed.clock` is that moment. */
async function replicated(server: TestServer, load: Load, confirmed: { clock: number }): Promise<void> {
  const clock = load.clock;
  const connection = await server.connect();
  // WAIT is about what its own connection has written, and so about all that was written before.
  await connection.send('SET', 'written', String(clock));
  if ((await connection.send('WAIT', '1', String(TIMEOUT_MS))) === ':1\r\n') confirmed.clock = clock;
}

/**
 * Waits until the replicas have all of the primary's stream, and compares. Accesses are left out: on replicas
 * they may lag.
 */
async function converge(primary: TestServer, replicas: TestServer[], load: Load): Promise<void> {
  check(load.writers, await readState(primary), () => true);
  const digest = async (server: TestServer) => (await dump(server)).map((line) => line.replace(/"last_accessed":"[^"]*"/, ''));
  const wanted = await digest(primary);
  for (const replica of replicas) {
    await linked(replica);
    const offset = Number((await primary.info('replication')).master_repl_offset);
    await eventually(
      async () => Number((await replica.info('replication')).slave_repl_offset),
      (reached) => reached >= offset,
      TIMEOUT_MS,
    );
    const found = await digest(replica);
    for (const command of CHECKS) await checked(replica, command);
    const index = wanted.findIndex((line, position) => found[position] !== line);
    if (index === -1 && found.length === wanted.length) continue;
    throw new Violation(
      `a replica has ${found.length} entries instead of ${wanted.length}; the first that differs: ${wanted[index]?.slice(0, 200)}`,
    );
  }
}

/** Waits until a replica has found its primary and is done with synchronising. */
async function linked(replica: TestServer): Promise<void> {
  const isUp = (info: Record<string, string>) => info.master_link_status === 'up' && info.master_sync_in_progress === '0';
  const info = await eventually(() => replica.info('replication'), isUp, TIMEOUT_MS);
  if (!isUp(info)) throw new Violation(`a replica does not find its primary again:\n${replica.log.slice(-2000)}`);
}

async function withServer(
  options: ConstructorParameters<typeof TestServer>[0],
  body: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = new TestServer(options);
  try {
    await server.start();
    await body(server);
  } finally {
    await server.stop();
  }
}

export const SCENARIOS: Scenario[] = [
  { name: 'crash-always', run: (options) => crash('always', 'always', options) },
  { name: 'crash-everysec', run: (options) => crash('everysec', 'everysec', options) },
  { name: 'crash-rdb', run: (options) => crash('rdb', 'rdb', options) },
  { name: 'full-disk-always', run: (options) => fullDisk('always', options) },
  { name: 'full-disk-everysec', run: (options) => fullDisk('everysec', options) },
  { name: 'full-disk-rdb', run: (options) => fullDisk('rdb', options) },
  { name: 'cut-links', run: cutLinks },
  { name: 'failover', run: failover },
  { name: 'replace-modules', run: replaceModules },
];
