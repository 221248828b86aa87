/**
 * `npx redis-wasm dev [file …] [--port n] [--server path]`: a server with modules that are built again at
 * each change, and replaced while it serves, with all data kept. One that does not build, or that the server
 * refuses, changes nothing.
 *
 * ```text
 * .redis-wasm/data     the server's data
 * .redis-wasm/modules  wasm.dir
 * .redis-wasm/cache    wasm.cache
 * .redis-wasm/built    what was built last, served or not
 * ```
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import { connect, WireError, type Wire } from '../client/transfer/wire.ts';
import { Compiler } from '../kit/asc/compiler.ts';
import { findServer, LocalServer } from '../kit/local-server.ts';
import { buildModules, modulesIn, modulesOf, type Built, type Module } from '../kit/modules.ts';
import { told } from './build.ts';
import { loadedModules, wordsOf } from './loaded.ts';
import { optionsOf } from './options.ts';
import { requirePlatform } from './platform.ts';
import { Problem, say } from './process.ts';
import { UsageProblem } from './usage.ts';

/** Nothing is optimised: that takes three quarters of a build. */
const LEVELS = [0];
/** Editors write a file in several steps … */
const SETTLE_MS = 30;
/** … and some take it away first. */
const GONE_MS = 300;
const FOLDER = '.redis-wasm';
const DUMP = 'dump.rdb';

class Development {
  private readonly compiler = new Compiler();
  private readonly watchers = new Map<string, FSWatcher>();
  /** what the files held when they were built last, by their paths */
  private readonly contents = new Map<string, string>();
  /** the files that a module is made of, by its name */
  private readonly files = new Map<string, Set<string>>();
  private modules: Module[] = [];
  private timer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();
  private isEnding = false;
  /** whether the server is about to be started again */
  private mayEnd = false;

  constructor(
    /** the files that a person has named; none: all of the folder */
    private readonly given: string[],
    private readonly folder: string,
    private readonly server: LocalServer,
    private readonly port: number,
  ) {}

  /**
   * Builds and starts. What does not build is told, and built again at its next change; what served before
   * is served meanwhile. Throws a Problem where the server does not start.
   */
  begin(): Promise<void> {
    const begun = this.start();
    // A change meanwhile comes after it.
    this.work = begun.catch(() => undefined);
    return begun;
  }

  private async start(): Promise<void> {
    this.modules = modulesOf(this.given, process.cwd());
    const names = this.modules.map((module) => path.basename(this.served(module)));
    mkdirSync(this.within('modules'), { recursive: true });
    for (const name of readdirSync(this.within('modules')))
      if (name.endsWith('.wasm') && !names.includes(name)) rmSync(this.within('modules', name));
    const built: Built[] = [];
    for (const module of this.modules) {
      await this.trying(async () => {
        const each = await this.build(module);
        put(each.output, this.served(each));
        built.push(each);
      }, module);
    }
    await this.launch();
    await this.compare(built);
  }

  /** Ends the server, saved. */
  async end(): Promise<void> {
    this.isEnding = true;
    clearTimeout(this.timer);
    for (const watcher of this.watchers.values()) watcher.close();
    await this.work;
    await this.server.end();
    this.compiler.end();
  }

  private within(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  private served({ name }: Module): string {
    return this.within('modules', `${name}.wasm`);
  }

  private async build(module: Module): Promise<Built> {
    const begun = performance.now();
    this.follow(module, [module.file]);
    const how = {
      out: this.within('built'),
      levels: LEVELS,
      checks: true,
      followed: (files: string[]) => {
        this.follow(module, files);
      },
    };
    // Each by itself: none shares a memory with another here.
    const [built] = await buildModules([module], how, this.compiler);
    if (built === undefined) throw new Error('nothing was built');
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    say(told(built, process.cwd(), `, in ${seconds} s`));
    return built;
  }

  /** Watches a module's files: their folders, since an editor may put another file in the place of one. */
  private follow({ name }: Module, files: string[]): void {
    this.files.set(name, new Set(files));
    for (const file of files) {
      if (!this.contents.has(file)) this.contents.set(file, readFileSync(file, 'utf8'));
      const folder = path.dirname(file);
      if (this.watchers.has(folder)) continue;
      this.watchers.set(
        folder,
        watch(folder, () => {
          clearTimeout(this.timer);
          this.timer = setTimeout(() => {
            this.look();
          }, SETTLE_MS);
        }),
      );
    }
  }

  private look(hasWaited = false): void {
    if (!hasWaited && this.modules.some(({ file }) => !existsSync(file))) {
      this.timer = setTimeout(() => {
        this.look(true);
      }, GONE_MS);
    } else this.work = this.work.then(() => this.change());
  }

  /** Files that hold something else than when they were built. */
  private changed(): string[] {
    return [...this.contents].flatMap(([file, before]) => (existsSync(file) && readFileSync(file, 'utf8') !== before ? [file] : []));
  }

  /** Has the server serve what has changed. What goes wrong is told. */
  private async change(): Promise<void> {
    if (this.isEnding) return;
    const changed = this.changed();
    // What is written from here on is another change.
    for (const file of changed) this.contents.set(file, readFileSync(file, 'utf8'));
    await this.trying(async () => {
      const present = this.present();
      const isNew = (module: Module) => !this.modules.some(({ name }) => name === module.name);
      const gone = this.modules.filter(({ name }) => !present.some((other) => other.name === name));
      const concerned = present.filter((module) => isNew(module) || changed.some((file) => this.files.get(module.name)?.has(file)));
      this.modules = present;
      for (const module of gone) await this.trying(() => this.drop(module));
      for (const module of concerned) await this.trying(async () => this.replace(await this.build(module)), module);
    });
  }

  /** @param module what it is about: one that was never built is not served on */
  private async trying(body: () => Promise<void>, module?: Module): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const isNew = module !== undefined && !existsSync(this.served(module));
      const state = isNew ? `${module.name} is not served until it builds: save it again.` : 'What was built before is served on.';
      console.error(`\n${error.message}\n\n${state}\n`);
    }
  }

  /** The modules whose files are there. Throws a Problem for a name that none can have. */
  private present(): Module[] {
    const own = this.modules.map(({ file }) => file);
    const files = this.given.length > 0 ? this.given : [...new Set([...own, ...modulesIn(process.cwd())])];
    const present = files.filter((file) => existsSync(file));
    return present.length === 0 ? [] : modulesOf(present, process.cwd());
  }

  /** Has the server serve what was built in the place of what it serves. */
  private async replace(built: Built): Promise<void> {
    const { name } = built;
    const file = this.served(built);
    const before = existsSync(file) ? `${built.output}.before` : undefined;
    if (before !== undefined) copyFileSync(file, before);
    put(built.output, file);
    if (!this.server.isRunning) return this.restart([built], 'it had ended');
    await this.asking(async (wire) => {
      const loaded = (await loadedModules(wire)).get(name);
      const isServed = loaded !== undefined && loaded.missing === undefined;
      if (isServed && loaded.sha256 === sha256(file)) {
        say(`${name}: it is what is served already`);
        return;
      }
      try {
        await wire.call([isServed ? 'WASM.RELOAD' : 'WASM.LOAD', name]);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        const reason = wordsOf(error.reply);
        if (reason.includes('needs a restart')) return this.restart([built], reason);
        if (before === undefined) rmSync(file);
        else put(before, file);
        throw new Problem(`${name} is refused by the server: ${reason}`);
      }
      say(`${name}: served, with all data`);
    });
  }

  private async drop(module: Module): Promise<void> {
    rmSync(this.served(module), { force: true });
    this.files.delete(module.name);
    if (!this.server.isRunning) return;
    await this.asking(async (wire) => {
      // The server may have refused it.
      const loaded = (await loadedModules(wire)).get(module.name);
      if (loaded === undefined || loaded.missing !== undefined) return;
      await wire.call(['WASM.UNLOAD', module.name]).catch((error: unknown) => {
        if (!(error instanceof WireError)) throw error;
        throw new Problem(`${module.name} cannot be unloaded: ${wordsOf(error.reply)}`);
      });
      say(`${module.name}: unloaded, since ${path.basename(module.file)} is gone; its data is kept for when it is back`);
    });
  }

  private async restart(built: Built[], reason: string): Promise<void> {
    say(`the server is started again: ${reason}`);
    this.mayEnd = true;
    await this.server.end();
    await this.launch();
    if (await this.compare(built))
      say(`${built.map(({ name }) => name).join(', ')}: served, with all data, by a server that was started again`);
  }

  /** Starts the server, and tells of it when that ends by itself. */
  private async launch(): Promise<void> {
    await this.server.start([]);
    this.mayEnd = false;
    void this.server.ended.then(() => {
      if (this.isEnding || this.mayEnd) return;
      const last = this.server.log.trimEnd().split('\n').at(-1) ?? '';
      console.error(`\nThe server has ended: ${last}\n\nThe next change of a file starts it again.\n`);
    });
  }

  /** Whether the server serves what was built; it starts without a module that it cannot load. */
  private async compare(built: Built[]): Promise<boolean> {
    const loaded = await this.asking(loadedModules);
    const others = built.filter((each) => loaded.get(each.name)?.sha256 !== sha256(each.output));
    for (const { name } of others) {
      const { missing } = loaded.get(name) ?? {};
      const state = missing === undefined ? 'what served last is served in its place' : 'it is not served';
      const cause = this.server.log.split('\n').find((line) => line.includes(`${name}.wasm of wasm.dir cannot be loaded: `));
      const reason = missing ?? cause?.slice(cause.indexOf('loaded: ') + 'loaded: '.length) ?? 'its log tells why';
      console.error(`\n${name} is refused by the server: ${reason}\n\nThe data is kept; ${state}.\n`);
    }
    return others.length === 0;
  }

  private async asking<T>(body: (wire: Wire) => Promise<T>): Promise<T> {
    let wire: Wire | undefined;
    try {
      wire = await connect('the server', { socket: { host: '127.0.0.1', port: this.port, tls: false } });
      return await body(wire);
    } catch (error) {
      throw error instanceof WireError ? new Problem(error.message) : error;
    } finally {
      wire?.close();
    }
  }
}

/** Puts a file in place as a whole. */
function put(source: string, file: string): void {
  copyFileSync(source, `${file}.new`);
  renameSync(`${file}.new`, file);
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** The server's own folder, which holds nothing else. */
function dataFolder(folder: string): string {
  const data = path.join(folder, 'data');
  mkdirSync(data, { recursive: true });
  // Where it was before there was more than data.
  const former = path.join(folder, DUMP);
  if (existsSync(former) && !existsSync(path.join(data, DUMP))) renameSync(former, path.join(data, DUMP));
  return data;
}

export async function command(given: string[]): Promise<number> {
  const { values, others } = optionsOf(given, { port: 'a number', server: 'the path of a redis-server or valkey-server' });
  const port = Number(values.port ?? 6379);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageProblem(`--port ${values.port ?? ''} is no port.`);
  requirePlatform();
  const program = findServer(values.server);
  // Says what is wrong with them before there is a folder.
  modulesOf(others, process.cwd());
  const folder = path.resolve(FOLDER);
  const live = ['--wasm.dir', path.join(folder, 'modules'), '--wasm.cache', path.join(folder, 'cache'), '--wasm.allow-load', 'yes'];
  const server = new LocalServer({ server: program, port, folder: dataFolder(folder), arguments: ['--save', '3600', '1', ...live] });
  const development = new Development(others, folder, server, port);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        void development.end().then(resolve);
      });
  });
  try {
    await development.begin();
  } catch (error) {
    await development.end();
    if (server.log.includes('Address already in use')) throw new Problem(`Port ${port} is in use. Choose another one: --port ${port + 1}`);
    throw error;
  }
  say(`${program.name} ${program.version} serves them on port ${port}; their data is in ${FOLDER}/data. Ctrl-C saves it and ends.`);
  await ended;
  return 0;
}
