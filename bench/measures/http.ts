/**
 * Requests to a site on express-session, with this project's store over the same site with connect-redis.
 * Each site has a server of its own. The site has one core; the server and the browsers share the other.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Problem, ROOT } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { Browser } from '../lib/browser.ts';
import type { Measure } from '../lib/measure.ts';
import { CLIENT_CORE, SERVER_CORE, pinSelf, stopAfter, withServers, type MeasuredServer } from '../lib/server.ts';
import { median, ratio, show } from '../lib/statistics.ts';

/** The site's core: not the server's. */
const SITE_CORE = CLIENT_CORE;
const BROWSERS = 16;
const REQUESTS = 4000;
const PERCENTILE = 0.99;

const STORES = ['ours', 'connect-redis'] as const;
type Store = (typeof STORES)[number];

/** What a request does to its session. */
export const PAGES = ['untouched', 'read', 'change'] as const;
export type Page = (typeof PAGES)[number];

/** By round: per request, and requests in a second of the clock. */
export interface SiteTiming {
  perSecond: number[];
  site_cpu_ns: number[];
  server_cpu_ns: number[];
  p99_ns: number[];
}

export type SiteTimings = Record<Page, Record<Store, SiteTiming>>;

/** A site and its browsers, which are signed in. */
class Site {
  private constructor(
    private readonly process: ChildProcess,
    private readonly measured: MeasuredServer,
    private readonly browsers: Browser[],
  ) {}

  static async start(store: Store, measured: MeasuredServer): Promise<Site> {
    pinSelf(SITE_CORE);
    const words = [path.join(ROOT, 'bench/lib/site.ts'), store, measured.socket];
    const child = fork(path.join(ROOT, 'scripts/bootstrap.mjs'), words, { env: { ...process.env, NODE_ENV: 'production' } });
    pinSelf(SERVER_CORE);
    try {
      const port = await told(child, 'port');
      const browsers = await Promise.all(Array.from({ length: BROWSERS }, () => Browser.open(port)));
      await Promise.all(browsers.map((browser, index) => browser.page(`/sign-in/user-${index}`)));
      return new Site(child, measured, browsers);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** Asks for a page, again and again, by all browsers at once. */
  async round(page: Page, requests: number, into: SiteTiming | undefined): Promise<void> {
    const times_ns: number[] = [];
    const [site, server, began] = [await this.cpuNs(), this.measured.cpuNs(), performance.now()];
    await Promise.all(
      this.browsers.map(async (browser) => {
        for (let request = 0; request < requests / BROWSERS; request++) {
          const asked = performance.now();
          await browser.page(`/${page}`);
          times_ns.push((performance.now() - asked) * 1e6);
        }
      }),
    );
    const [took_ms, count] = [performance.now() - began, times_ns.length];
    if (into === undefined) return;
    into.perSecond.push(count / (took_ms / 1000));
    into.server_cpu_ns.push((this.measured.cpuNs() - server) / count);
    into.site_cpu_ns.push(((await this.cpuNs()) - site) / count);
    into.p99_ns.push(times_ns.sort((one, other) => one - other)[Math.floor(count * PERCENTILE)] ?? Number.NaN);
  }

  private async cpuNs(): Promise<number> {
    this.process.send('cpu');
    return (await told(this.process, 'cpu_us')) * 1000;
  }

  async stop(): Promise<void> {
    for (const browser of this.browsers) browser.close();
    const ended = once(this.process, 'exit');
    this.process.disconnect();
    await ended;
  }
}

/** The number that the site tells next. */
async function told(child: ChildProcess, name: string): Promise<number> {
  const exits = new AbortController();
  const exit = once(child, 'exit', { signal: exits.signal }).then(() => {
    throw new Problem('the site of the benchmark has exited');
  });
  exit.catch(() => undefined);
  const [message] = (await Promise.race([once(child, 'message'), exit])) as [Record<string, number>];
  exits.abort();
  return message[name] ?? Number.NaN;
}

function timing(): SiteTiming {
  return { perSecond: [], site_cpu_ns: [], server_cpu_ns: [], p99_ns: [] };
}

/** Both sites take turns, in every other round in the opposite order, after a round that warms up. */
export async function siteTimings(server: Server, rounds: number, requests: number): Promise<SiteTimings> {
  try {
    return await withServers(server, { ours: {}, 'connect-redis': { modules: false } }, async (servers) =>
      stopAfter(await Site.start('ours', servers.ours), async (ours) =>
        stopAfter(await Site.start('connect-redis', servers['connect-redis']), (peer) =>
          turns({ ours, 'connect-redis': peer }, rounds, requests),
        ),
      ),
    );
  } finally {
    pinSelf(CLIENT_CORE);
  }
}

async function turns(sites: Record<Store, Site>, rounds: number, requests: number): Promise<SiteTimings> {
  const result = Object.fromEntries(PAGES.map((page) => [page, { ours: timing(), 'connect-redis': timing() }])) as SiteTimings;
  for (const page of PAGES) {
    for (let round = 0; round <= rounds; round++) {
      for (const store of round % 2 === 0 ? STORES : [...STORES].reverse()) {
        await sites[store].round(page, requests, round === 0 ? undefined : result[page][store]);
      }
    }
  }
  return result;
}

export const http: Measure = {
  name: 'http',
  summary: 'a site on express-session, with SessionStore over the same with connect-redis',
  async run({ server, rounds, print }) {
    const timings = await siteTimings(server, rounds, REQUESTS);
    for (const page of PAGES) {
      const { ours, 'connect-redis': peer } = timings[page];
      const row = (what: string, name: keyof SiteTiming, unit: (value: number) => string) => {
        print(`${page}: ${what}`, show(ratio(ours[name], peer[name])), `${unit(median(ours[name]))} and ${unit(median(peer[name]))}`);
      };
      const us = (ns: number) => `${(ns / 1000).toFixed(1)} µs`;
      row('requests in a second, more is better', 'perSecond', (value) => value.toFixed(0));
      row("the site's CPU", 'site_cpu_ns', us);
      row("the server's CPU", 'server_cpu_ns', us);
      row('p99', 'p99_ns', (ns) => `${(ns / 1e6).toFixed(1)} ms`);
    }
  },
};
