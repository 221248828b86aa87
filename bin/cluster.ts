/**
 * `npx redis-wasm cluster check|prepare --url <server>`: on the way from one server to a cluster, session ids
 * that were made outside of cluster mode lie in other slots than their users, and would be left behind when
 * slots move. `check` says whether there are any, `prepare` has them rotated, or waits until they have ended.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WireError } from '../client/transfer/wire.ts';
import { advised, TLS_OPTIONS, tlsOf, type Tls } from './address.ts';
import { Survey, type Node } from './nodes.ts';
import { parsed } from './options.ts';
import { Problem, reasonOf, say } from './process.ts';
import { endless, rotateStrays, straysOf, type Rotated, type Told } from './strays.ts';
import { isClustered, shown, teller } from './transfer.ts';
import { UsageProblem } from './usage.ts';

interface Wanted {
  action: 'check' | 'prepare';
  urls: string[];
  /** how long old ids answer; undefined: nothing is rotated */
  grace_s: number | undefined;
  /** where old and new ids are written */
  file: string | undefined;
  wait_s: number;
  isJson: boolean;
  tls: Tls;
}

/** What there is, and what was done. */
interface Outcome {
  told: Told[];
  isClustered: boolean;
  done?: Rotated & { until: Date };
}

/** The longest grace of a server: a week. */
const GRACE_MAX_S = 604_800;
/** A look walks through all sessions: at most this part of the server's time goes into it. */
const LOOK_PART = 1 / 20;
const LOOK_MIN_MS = 1000;
/** How many characters of an id are shown: all of it lets in who has it. */
const SHOWN = 8;
const LISTED = 5;

const ALONE =
  'This server is not in cluster mode, where SESSION.ROTATE has no slots to go by. Start one node of a cluster, ' +
  'with all slots, from its RDB file, and run this there: docs/OPERATIONS.md, "From one server to a cluster".';

function optionsOf(given: string[]): Wanted {
  const [flag, text] = [{ type: 'boolean', default: false } as const, { type: 'string' } as const];
  const { values, positionals } = parsed({
    args: given,
    allowPositionals: true,
    options: { url: { ...text, multiple: true }, rotate: flag, grace: text, ids: text, wait: text, json: flag, ...TLS_OPTIONS },
  });
  const [action, ...others] = positionals;
  if ((action !== 'check' && action !== 'prepare') || others.length > 0) throw new UsageProblem('One of check and prepare is needed.');
  if (values.url === undefined) throw new UsageProblem('A server is needed: --url redis://host:port');
  if (action === 'check' && (values.rotate || values.wait !== undefined)) throw new UsageProblem('--rotate and --wait are for prepare.');
  if (values.rotate !== (values.grace !== undefined))
    throw new UsageProblem('--rotate and --grace <seconds> belong together: applications must learn the new ids before the old ones end.');
  if (values.ids !== undefined && !values.rotate) throw new UsageProblem('--ids is for --rotate.');
  return {
    action,
    urls: values.url,
    grace_s: values.grace === undefined ? undefined : seconds('--grace', values.grace, GRACE_MAX_S),
    file: values.ids,
    wait_s: values.wait === undefined ? 0 : seconds('--wait', values.wait, Number.MAX_SAFE_INTEGER / 1000),
    isJson: values.json,
    tls: tlsOf(values, values.url),
  };
}

function seconds(option: string, given: string, max: number): number {
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= 1 && value <= max) return value;
  throw new UsageProblem(`${option} takes whole seconds, from 1${max === GRACE_MAX_S ? ` to ${max}` : ' on'}.`);
}

const total = (told: Told[]): number => told.reduce((sum, { strays }) => sum + strays, 0);
const sessions = (count: number): string => (count === 1 ? '1 id' : `${shown(count)} ids`);

/** Whether the host would let slots move, as far as this can be asked. */
function isSafe({ told, isClustered }: Outcome): boolean {
  return isClustered && total(told) === 0 && told.every(({ missing }) => missing.length === 0);
}

async function look(nodes: Node[]): Promise<Told[]> {
  const told = [];
  for (const node of nodes) told.push(await straysOf(node));
  return told;
}

/** Has all of them rotated. */
async function rotate(nodes: Node[], grace_s: number, file: string | undefined): Promise<Rotated & { until: Date }> {
  const [tell, done] = [teller(), { rotated: 0, unreachable: 0 }];
  let descriptor: number | undefined;
  try {
    descriptor = file === undefined ? undefined : openSync(file, 'a', 0o600);
  } catch (error) {
    throw new Problem(`${file ?? ''} cannot be written: ${reasonOf(error)}`);
  }
  try {
    for (const node of nodes) {
      const note = (old: string, present: string) => {
        if (descriptor !== undefined) writeSync(descriptor, `${old} ${present}\n`);
      };
      const each = await rotateStrays(node, grace_s * 1000, note, ({ rotated }) => {
        tell(() => `${node.name}: ${shown(rotated)} sessions have new ids so far`);
      });
      done.rotated += each.rotated;
      done.unreachable += each.unreachable;
    }
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return { ...done, until: new Date(Date.now() + grace_s * 1000) };
}

/** Looks again until none is left, or the time is over. */
async function wait(nodes: Node[], told: Told[], wait_s: number): Promise<Told[]> {
  const until_ms = performance.now() + wait_s * 1000;
  const tell = teller();
  let [latest, took_ms] = [told, 0];
  while (total(latest) > 0 && performance.now() < until_ms) {
    await delay(Math.min(Math.max(LOOK_MIN_MS, took_ms / LOOK_PART), until_ms - performance.now()));
    const begun_ms = performance.now();
    latest = await look(nodes);
    took_ms = performance.now() - begun_ms;
    tell(() => `${sessions(total(latest))} left`);
  }
  return latest;
}

/** What a person is told of each node. */
function tell({ told }: Outcome): void {
  for (const { node, strays, ids, missing } of told) {
    const some = ids.slice(0, LISTED).map((id) => `${id.slice(0, SHOWN)}…`);
    const names = strays === 0 ? '' : `: ${some.join(', ')}${strays > some.length ? ', …' : ''}`;
    say(`${node.name}: ${sessions(strays)} outside of the user's slot${names}`);
    if (missing.length > 0) say(`${node.name}: not loaded, so that its data cannot move: ${missing.join(', ')}`);
  }
}

/** What was rotated, and whose cookies change. */
function tellRotated({ rotated, unreachable, until }: NonNullable<Outcome['done']>): void {
  say(`${shown(rotated)} sessions have new ids. Who shows an old one is served until ${until.toISOString()}, and is signed out then,`);
  say('unless the application has sent the new one by then: SESSION.INFO of the old id answers it as "id".');
  if (unreachable > 0)
    say(`${sessions(unreachable)} lie in slots that other nodes serve: no command reaches these sessions, and they can but expire.`);
}

/** What is to be done; undefined: slots can be moved. */
async function adviceOf(outcome: Outcome): Promise<string | undefined> {
  if (isSafe(outcome)) return undefined;
  const { told, isClustered: inCluster, done } = outcome;
  const count = total(told);
  if (count === 0) {
    return inCluster ? 'Load what is missing, or give its data up by WASM.UNLOAD <module> DROP: slots do not move before.' : ALONE;
  }
  if (!inCluster) return `In a cluster ${sessions(count)} would be in another slot than their user. ${ALONE}`;
  const lasting = (await Promise.all(told.map(({ node, ids }) => endless(node, ids)))).reduce((sum, each) => sum + each, 0);
  const never =
    lasting === 0 ? '' : `\nOf those that were looked at ${shown(lasting)} have no end of their own: waiting does not help them.`;
  if (done !== undefined)
    return `${sessions(count)} are left: old ones in grace are among them, until their grace is over. Slots do not move before; --wait <seconds> looks again.`;
  return (
    'Slots do not move before these ids are gone. Old ids of sessions that were rotated are among them, until their grace is over.\n' +
    `Either wait until they have ended: npx --no redis-wasm cluster prepare --wait <seconds>.${never}\n` +
    "Or give these sessions ids in their users' slots, which your applications must learn before the old ones end:\n" +
    'npx --no redis-wasm cluster prepare --rotate --grace <seconds>.'
  );
}

function json(outcome: Outcome, error: string | undefined): string {
  const { told, isClustered, done } = outcome;
  const servers = told.map(({ node, strays, ids, missing }) => ({ server: node.name, strays, ids, missing }));
  const { rotated, unreachable, until: graceUntil } = done ?? {};
  return JSON.stringify({
    safe: isSafe(outcome),
    cluster: isClustered,
    strays: total(told),
    rotated,
    unreachable,
    graceUntil,
    error,
    servers,
  });
}

async function run(wanted: Wanted, survey: Survey): Promise<number> {
  const nodes = (await survey.find(wanted.urls)).filter(({ role }) => role === 'primary');
  const clustered = (await Promise.all(nodes.map(({ wire }) => isClustered(wire)))).every(Boolean);
  const outcome: Outcome = { told: await look(nodes), isClustered: clustered };
  if (wanted.action === 'prepare' && !clustered) throw new Problem(ALONE);
  if (wanted.grace_s !== undefined && total(outcome.told) > 0) {
    outcome.done = await rotate(nodes, wanted.grace_s, wanted.file);
    outcome.told = await look(nodes);
  }
  if (wanted.wait_s > 0) outcome.told = await wait(nodes, outcome.told, wanted.wait_s);
  const advice = await adviceOf(outcome);
  if (wanted.isJson) console.log(json(outcome, advice));
  else {
    tell(outcome);
    if (outcome.done !== undefined) tellRotated(outcome.done);
    if (advice !== undefined) throw new Problem(advice);
    say('Slots can be moved.');
  }
  return advice === undefined ? 0 : 1;
}

export async function command(given: string[]): Promise<number> {
  const wanted = optionsOf(given);
  const survey = new Survey(wanted.tls);
  try {
    return await run(wanted, survey);
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof WireError)) throw error;
    const rest = wanted.grace_s === undefined ? '' : '\nWhat was done until then is done, and it may be run again.';
    const message = error instanceof WireError ? advised(error) + rest : error.message;
    if (!wanted.isJson) throw new Problem(message);
    console.log(JSON.stringify({ error: message }));
    return 1;
  } finally {
    survey.close();
  }
}
