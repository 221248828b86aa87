/**
 * `npm run example -- [--port n] [--data folder]`: a site to sign in to, on 127.0.0.1, with a redis-server of
 * its own.
 *
 * Builds what is missing. The data and the secret that signs cookies stay in data/example/, so that people
 * are still signed in after a restart. With REDIS_URL it uses that server, which must have the modules, and
 * starts none. Ctrl-C ends both.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Express } from 'express';
import { NotLoadedError, typedError } from '../client/index.ts';
import { prepareFolder } from '../bin/process.ts';
import { asksForHelp } from '../bin/usage.ts';
import { ensureBuilt, HOST, WASM } from '../scripts/lib/build.ts';
import { main, Problem, ROOT, say } from '../scripts/lib/process.ts';
import { choose } from '../scripts/lib/servers.ts';
import { createSite } from './app.ts';
import { startLocalServer, type LocalServer } from './local-server.ts';
import { createRedis, type Redis } from './redis.ts';
import { DEMO_ACCOUNTS, demoUsers } from './users.ts';

const ADDRESS = '127.0.0.1';
const PORT = 3000;
const SECRET_BYTES = 32;
const PORT_MAX = 65_535;
const USAGE = `usage: npm run example -- [--port n] [--data folder]
  --port  of the site on 127.0.0.1: ${PORT} by default; 0 for any that is free
  --data  where the sessions and the secret that signs cookies are kept: data/example by default
REDIS_URL=<address> has it use that server, with the modules loaded, and start none.`;

function readArguments(): { port: number; folder: string } {
  let values: { port?: string | undefined; data?: string | undefined };
  try {
    ({ values } = parseArgs({ options: { port: { type: 'string' }, data: { type: 'string' } } }));
  } catch (error) {
    throw new Problem(`${(error as Error).message}\n${USAGE}`);
  }
  const port = values.port === undefined ? PORT : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
    throw new Problem(`--port ${values.port}: a port is a number from 0 (any that is free) to ${PORT_MAX}.\n${USAGE}`);
  }
  const from = process.env.INIT_CWD ?? process.cwd();
  return { port, folder: values.data === undefined ? path.join(ROOT, 'data/example') : path.resolve(from, values.data) };
}

/** The secret in the folder, made at the first start. */
function secretIn(folder: string): string {
  const file = path.join(folder, 'secret');
  try {
    writeFileSync(file, randomBytes(SECRET_BYTES).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new Problem(`${file} cannot be written: ${(error as Error).message}`);
  }
  const secret = readFileSync(file, 'utf8').trim();
  if (secret.length < SECRET_BYTES)
    throw new Problem(`${file} holds no secret. Remove it: the next start makes a new one, and everybody signs in again.`);
  return secret;
}

async function connected(where: { url: string } | { path: string }): Promise<Redis> {
  const redis = createRedis(where);
  const shown = 'url' in where ? where.url.replace(/\/\/[^@/]*@/, '//…@') : where.path;
  const failure = new Promise<never>((_resolve, reject) => {
    redis.once('error', (error: Error) => {
      reject(
        new Problem(
          `No server answers at ${shown}: ${error.message}\nStart one with npm start, or run the example without REDIS_URL: it brings its own.`,
        ),
      );
    });
  });
  try {
    await Promise.race([redis.connect(), failure]);
    await redis.session.count();
  } catch (error) {
    redis.destroy();
    const typed = typedError(error);
    throw typed instanceof NotLoadedError ? new Problem(typed.message) : error;
  }
  failure.catch(() => undefined);
  return redis;
}

function listen(app: Express, port: number): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    const listener = app.listen(port, ADDRESS);
    listener.once('listening', () => {
      resolve(listener);
    });
    listener.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(new Problem(isTaken ? `Port ${port} is in use. Choose another one: npm run example -- --port 3001` : error.message));
    });
  });
}

function announce(listener: HttpServer): void {
  const accounts = DEMO_ACCOUNTS.map(
    ({ user, password }) => `    ${user.login.padEnd(8)}${password}${user.isOperator ? '   (operator)' : ''}`,
  );
  console.log(`
  The site:  http://${ADDRESS}:${(listener.address() as AddressInfo).port}
  Accounts to try:
${accounts.join('\n')}
  Ctrl-C saves the sessions and ends it.
`);
}

/** Resolves with the exit status when somebody ends this program, or when the server ends by itself. */
function endOf(local: LocalServer | undefined): Promise<number> {
  return new Promise((resolve) => {
    if (local === undefined) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(signal, () => {
          resolve(0);
        });
      }
      return;
    }
    void local.ended.then(({ status, log }) => {
      const isWanted = local.isAskedToEnd();
      if (!isWanted)
        console.error(
          `\nredis-server has ended (status ${status}). It says:\n${log.trimEnd()}\n\nStart the example again: npm run example\n`,
        );
      resolve(isWanted ? status : 1);
    });
  });
}

await main(async () => {
  if (asksForHelp(process.argv.slice(2))) {
    console.log(USAGE);
    return 0;
  }
  const { port, folder } = readArguments();
  prepareFolder(folder, 'Choose another folder: npm run example -- --data /tmp/example', 0o700);
  const url = process.env.REDIS_URL;
  /** What ends what was started, the last first. */
  const ends: (() => unknown)[] = [];
  try {
    let local: LocalServer | undefined;
    if (url === undefined || url === '') {
      ensureBuilt(WASM);
      ensureBuilt(HOST);
      const server = choose();
      say(`${server.name} ${server.version}: ${server.file}, data in ${folder}`);
      local = await startLocalServer(server, folder);
      ends.push(local.end);
    }
    const redis = await connected(local === undefined ? { url: url ?? '' } : { path: local.socket });
    ends.push(() => {
      redis.destroy();
    });
    const { app, close } = createSite({ redis, users: await demoUsers(), secret: secretIn(folder) });
    ends.push(close);
    const listener = await listen(app, port);
    ends.push(() => {
      listener.closeAllConnections();
      listener.close();
    });
    announce(listener);
    return await endOf(local);
  } finally {
    for (const end of ends.reverse()) await end();
  }
});
