/**
 * `npx redis-wasm dev [file …] [--port n] [--server path]`: a server with modules that are built again at
 * each change, with all data kept. One that does not build, or that the server refuses, changes nothing.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import { Compiler } from '../kit/asc/compiler.ts';
import { findServer, LocalServer } from '../kit/local-server.ts';
import { buildModules, modulesOf, type Built, type Module } from '../kit/modules.ts';
import { told } from './build.ts';
import { optionsOf } from './options.ts';
import { requirePlatform } from './platform.ts';
import { Problem, say } from './process.ts';
import { UsageProblem } from './usage.ts';

/** Nothing is optimised: that takes three quarters of a build. */
const LEVELS = [0];
/** Editors write a file in several steps. */
const SETTLE_MS = 30;
const FOLDER = '.redis-wasm';

class Development {
  private readonly compiler = new Compiler();
  private readonly watchers = new Map<string, FSWatcher>();
  /** what the files held when they were built last, by their paths */
  private readonly contents = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();
  private isEnding = false;

  constructor(
    private readonly modules: Module[],
    private readonly folder: string,
    private readonly server: LocalServer,
  ) {}

  /** Builds and starts. Throws a Problem where that fails. */
  async begin(): Promise<void> {
    const built = await this.build();
    for (const each of built) copyFileSync(each.output, this.served(each));
    await this.server.start(this.modules.map((module) => this.served(module)));
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

  private served({ name }: Module): string {
    return path.join(this.folder, `${name}.wasm`);
  }

  private async build(): Promise<Built[]> {
    const begun = performance.now();
    // What is written from here on is another change.
    for (const file of this.contents.keys()) if (existsSync(file)) this.contents.set(file, readFileSync(file, 'utf8'));
    this.follow(this.modules.map(({ file }) => file));
    const how = {
      out: path.join(this.folder, 'built'),
      levels: LEVELS,
      checks: true,
      followed: (files: string[]) => {
        this.follow(files);
      },
    };
    const built = await buildModules(this.modules, how, this.compiler);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    for (const each of built) say(told(each, process.cwd(), `, in ${seconds} s`));
    return built;
  }

  /** Watches files: their folders, since an editor may put another file in the place of one. */
  private follow(files: string[]): void {
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

  private look(): void {
    const hasChanged = [...this.contents].some(([file, before]) => existsSync(file) && readFileSync(file, 'utf8') !== before);
    if (hasChanged) this.work = this.work.then(() => this.change());
  }

  /** Builds what has changed, and has the server serve it. */
  private async change(): Promise<void> {
    if (this.isEnding) return;
    try {
      const built = await this.build();
      await this.replace(built);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      console.error(`\n${error.message}\n\nWhat was built before is served on.\n`);
    }
  }

  private async replace(built: Built[]): Promise<void> {
    const files = built.map((each) => this.served(each));
    for (const file of files) copyFileSync(file, `${file}.before`);
    await this.server.end();
    for (const each of built) copyFileSync(each.output, this.served(each));
    try {
      await this.server.start(files);
      say('served, with all data');
    } catch (error) {
      for (const file of files) copyFileSync(`${file}.before`, file);
      await this.server.start(files);
      throw error;
    }
  }
}

export async function command(given: string[]): Promise<number> {
  const { values, others } = optionsOf(given, { port: 'a number', server: 'the path of a redis-server or valkey-server' });
  const port = Number(values.port ?? 6379);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageProblem(`--port ${values.port ?? ''} is no port.`);
  requirePlatform();
  const program = findServer(values.server);
  const modules = modulesOf(others, process.cwd());
  const folder = path.resolve(FOLDER);
  mkdirSync(folder, { recursive: true });
  const server = new LocalServer({ server: program, port, folder, arguments: ['--save', '3600', '1'] });
  const development = new Development(modules, folder, server);
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
  say(`${program.name} ${program.version} serves them on port ${port}; their data is in ${FOLDER}/. Ctrl-C saves it and ends.`);
  await ended;
  return 0;
}
