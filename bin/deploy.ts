/**
 * `npx redis-wasm deploy <file> --url <server> [--url …] [--copy] [--dry-run] [--json]`: has every server
 * that belongs to these serve a module's file: replicas first, since a replica must know what its primary
 * sends. Those that serve it already are left alone, so that a run that was stopped goes on where it stopped.
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type Wire, WireError } from '../client/transfer/wire.ts';
import { isWasm, sectionText } from '../kit/wasm.ts';
import { advised, TLS_OPTIONS, tlsOf, type Tls } from './address.ts';
import { loadedModules, wordsOf, type Loaded } from './loaded.ts';
import { Survey, type Node } from './nodes.ts';
import { parsed } from './options.ts';
import { Problem, reasonOf, say } from './process.ts';
import { UsageProblem } from './usage.ts';

interface Wanted {
  /** the module's file, absolute */
  file: string;
  urls: string[];
  copies: boolean;
  isDry: boolean;
  isJson: boolean;
  tls: Tls;
}

/** A module's file. */
interface Artifact {
  file: string;
  name: string;
  sha256: string;
}

/** What is to be done on a server, and what became of it. */
interface Step {
  node: Node;
  action: 'none' | 'load' | 'reload';
  state: 'done' | 'failed' | 'open';
  /** what it serves so far */
  before: Loaded | undefined;
  reason?: string;
}

const DONE = { none: 'serves it already', load: 'loaded', reload: 'replaced' };
const PLANNED = { none: 'serves it already', load: 'would be loaded', reload: 'would be replaced' };
const NOTHING = 'Nothing has been changed.';

function optionsOf(given: string[]): Wanted {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parsed({
    args: given,
    allowPositionals: true,
    options: { url: { type: 'string', multiple: true }, copy: flag, 'dry-run': flag, json: flag, ...TLS_OPTIONS },
  });
  const [file, ...others] = positionals;
  if (file === undefined) throw new UsageProblem('A file is needed, for example build/counter.wasm.');
  if (others.length > 0) throw new UsageProblem(`One file is deployed at a time; ${others.join(' ')} is too much.`);
  if (values.url === undefined) throw new UsageProblem('A server is needed: --url redis://host:port');
  const tls = tlsOf(values, values.url);
  return { file: path.resolve(file), urls: values.url, copies: values.copy, isDry: values['dry-run'], isJson: values.json, tls };
}

/** Reads a module's file. Throws a Problem for what is none. */
function read(file: string): Artifact {
  const name = path.basename(file, '.wasm');
  if (!file.endsWith('.wasm') || !/^[a-z][a-z0-9]{0,31}$/.test(name))
    throw new Problem(`${file}: a module's file is called as the module: counter.wasm.`);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new Problem(`${file} cannot be read: ${reasonOf(error)}`);
  }
  if (!isWasm(bytes)) throw new Problem(`${file} is no WebAssembly module.`);
  const own = /^name: (.*)$/m.exec(sectionText(bytes, 'redis-wasm') ?? '')?.[1];
  if (own !== undefined && own !== name) throw new Problem(`${file} is the module ${own}, and has to be called ${own}.wasm.`);
  return { file, name, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** What has to be done on a server. Throws a Problem where that cannot be. */
async function plan(node: Node, { name, sha256 }: Artifact): Promise<Step> {
  const modules = await loadedModules(node.wire).catch((error: unknown) => {
    if (!(error instanceof WireError) || !/unknown command/i.test(error.reply)) throw error;
    throw new Problem(`${error.message}\nhost.so is not loaded there, or one that is older than wasm.dir.`);
  });
  const before = modules.get(name);
  if (before?.sha256 === sha256) return { node, action: 'none', state: 'done', before };
  const step: Step = { node, action: before === undefined || before.missing !== undefined ? 'load' : 'reload', state: 'open', before };
  // Who may not read settings is told by the command.
  const allowed = await setting(node.wire, 'wasm.allow-load').catch(() => 'yes');
  if (allowed !== 'yes') step.reason = `its setting wasm.allow-load is ${allowed ?? 'not there'}: it has to be yes from its start on`;
  return step;
}

async function setting(wire: Wire, name: string): Promise<string | undefined> {
  const [, value] = (await wire.call(['CONFIG', 'GET', name])) as Buffer[];
  return value?.toString();
}

/** Puts the file where a server of this machine takes it from. Throws a Problem where that cannot be. */
async function copy({ node, before }: Step, { file, name }: Artifact): Promise<void> {
  if (!node.isLocal) return;
  const [named = '', data = ''] = [await setting(node.wire, 'wasm.dir'), await setting(node.wire, 'dir')];
  if (named === '') throw new Problem('it has no wasm.dir to copy the file to');
  const folder = path.resolve(data, named);
  const served = before?.path ?? '';
  if (served !== '' && !served.startsWith(`${folder}/`))
    throw new Problem(`its module is an argument of host.so, ${served}: copy the file there, and do without --copy`);
  const target = path.join(folder, path.basename(file));
  const beside = path.join(folder, `${name}.${process.pid}.new`);
  try {
    copyFileSync(file, beside);
    // Whatever the person's umask: the server runs as another user.
    chmodSync(beside, 0o644);
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new Problem(`${target} cannot be written: ${reasonOf(error)}`);
  }
}

/** Has a server serve the file. Throws a Problem, or rejects with a WireError, where it does not. */
async function perform(step: Step, artifact: Artifact, copies: boolean): Promise<void> {
  const { node, before } = step;
  if (copies) await copy(step, artifact);
  await node.wire.call([step.action === 'load' ? 'WASM.LOAD' : 'WASM.RELOAD', artifact.name]);
  const after = (await loadedModules(node.wire)).get(artifact.name);
  if (after?.sha256 === artifact.sha256) return;
  const place = after?.path ?? 'its file';
  throw new Problem(
    after?.sha256 === before?.sha256
      ? `${place} is still the file that was served before: put the new one there`
      : `${place} is another file, and is served now, SHA-256 ${after?.sha256 ?? 'unknown'}: put the right one there`,
  );
}

/** Why a server refuses, in its words; where it has no file, which it misses. */
function refusal({ reply }: WireError, { name }: Artifact): string {
  const words = wordsOf(reply);
  return words.includes('No such file') ? `${words}: put ${name}.wasm into its wasm.dir first; on this machine --copy does` : words;
}

const called = ({ name, role }: Node): string => `${name} (${role})`;

/** Has all servers serve the file, one after the other, until one does not. */
async function performAll(steps: Step[], artifact: Artifact, wanted: Wanted): Promise<void> {
  for (const [index, step] of steps.entries()) {
    const begun = performance.now();
    try {
      if (step.action !== 'none') await perform(step, artifact, wanted.copies);
      step.state = 'done';
    } catch (error) {
      if (!(error instanceof Problem) && !(error instanceof WireError)) throw error;
      step.state = 'failed';
      step.reason = error instanceof WireError ? refusal(error, artifact) : error.message;
      return;
    }
    const time = step.action === 'none' ? '' : `, in ${((performance.now() - begun) / 1000).toFixed(1)} s`;
    if (!wanted.isJson) say(`${index + 1} of ${steps.length}: ${called(step.node)}: ${DONE[step.action]}${time}`);
  }
}

/** What is wrong, and how to go on; undefined: all is well. */
function problemOf(steps: Step[], { name }: Artifact): string | undefined {
  const failed = steps.find(({ state }) => state === 'failed');
  if (failed === undefined) return undefined;
  const done = steps.filter(({ state }) => state === 'done').length;
  return (
    `${called(failed.node)}: ${failed.reason ?? ''}\n` +
    `${done} of ${steps.length} servers serve this ${name}.wasm. Mend that, and run the same again: it goes on where it stopped.`
  );
}

/** Says what would be done. @returns whether it could be */
function tellPlan(steps: Step[], wanted: Wanted): boolean {
  for (const { node, action, reason } of steps) {
    const how = reason === undefined ? PLANNED[action] : `would be refused: ${reason}`;
    const where = wanted.copies && action !== 'none' && reason === undefined ? (node.isLocal ? ', after a copy' : ', without a copy') : '';
    if (!wanted.isJson) say(`${called(node)}: ${how}${where}`);
  }
  return steps.every(({ reason }) => reason === undefined);
}

function json(artifact: Artifact, steps: Step[], isDry: boolean, error?: string): string {
  const servers = steps.map(({ node, action, state, reason }) => ({ server: node.name, role: node.role, action, state, reason }));
  return JSON.stringify({ module: artifact.name, sha256: artifact.sha256, dryRun: isDry, error, servers });
}

/** Finds all servers, and asks each what it serves. Throws a Problem; nothing is changed. */
async function survey(found: Survey, wanted: Wanted, artifact: Artifact): Promise<Step[]> {
  try {
    const steps = [];
    for (const node of await found.find(wanted.urls)) steps.push(await plan(node, artifact));
    return steps;
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof WireError)) throw error;
    throw new Problem(`${error instanceof WireError ? advised(error) : error.message}\n${NOTHING}`);
  }
}

async function deploy(wanted: Wanted, artifact: Artifact, found: Survey): Promise<number> {
  const steps = await survey(found, wanted, artifact);
  if (!wanted.isJson)
    say(
      `${artifact.name}.wasm, SHA-256 ${artifact.sha256}: ${steps.length === 1 ? '1 server' : `${steps.length} servers, replicas first`}`,
    );
  const refused = steps.find(({ reason }) => reason !== undefined);
  if (wanted.isDry) {
    const couldBe = tellPlan(steps, wanted);
    if (wanted.isJson) console.log(json(artifact, steps, true));
    return couldBe ? 0 : 1;
  }
  if (refused !== undefined) refused.state = 'failed';
  else await performAll(steps, artifact, wanted);
  const problem = refused === undefined ? problemOf(steps, artifact) : `${called(refused.node)}: ${refused.reason ?? ''}\n${NOTHING}`;
  if (wanted.isJson) console.log(json(artifact, steps, false, problem));
  else if (problem !== undefined) throw new Problem(problem);
  return problem === undefined ? 0 : 1;
}

export async function command(given: string[]): Promise<number> {
  const wanted = optionsOf(given);
  const found = new Survey(wanted.tls);
  try {
    return await deploy(wanted, read(wanted.file), found);
  } catch (error) {
    if (!wanted.isJson || !(error instanceof Problem)) throw error;
    console.log(JSON.stringify({ error: error.message }));
    return 1;
  } finally {
    found.close();
  }
}
