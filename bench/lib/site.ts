/**
 * A site on express-session, as a process of its own: `<ours|connect-redis> <socket of the server>`.
 * It tells its parent the port that it listens on, and, whenever it is asked, the CPU that it has used.
 */
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { RedisStore } from 'connect-redis';
import express from 'express';
import expressSession from 'express-session';
import { createClient } from 'redis';
import { ROOT } from '../../scripts/lib/process.ts';

/** What the site keeps in a session: 1 KB in four properties. */
interface Data {
  user?: string;
  csrf?: string;
  visits?: number;
  basket?: { article: string; title: string; count: number; price: number }[];
}

const DAY_MS = 86_400_000;
const ARTICLES = 9;

/** A file of the package as users have it: compiled. */
const built = (file: string) => import(pathToFileURL(path.join(ROOT, 'build/client', file)).href);

async function storeOf(kind: string, socketFile: string): Promise<expressSession.Store> {
  const { session } = (await built('index.js')) as typeof import('../../client/index.ts');
  const { SessionStore } = (await built('express.js')) as typeof import('../../client/express.ts');
  const client = await createClient({ socket: { path: socketFile, tls: false }, modules: { session } }).connect();
  if (kind === 'ours') return new SessionStore({ client, userOf: (data) => (data as Data).user });
  return new RedisStore({ client });
}

function dataOf(request: express.Request): Data {
  return request.session;
}

function fill(data: Data, user: string): void {
  data.user = user;
  data.csrf = 'c'.repeat(43);
  data.visits = 0;
  data.basket = Array.from({ length: ARTICLES }, (_, index) => {
    return { article: `article-${1000 + index}`, title: 'A pair of shoes, brown, with laces', count: index + 1, price: 7995 + index };
  });
}

const [kind = '', socket = ''] = process.argv.slice(2);
const app = express();
app.disable('etag');
app.use(
  expressSession({
    store: await storeOf(kind, socket),
    secret: 'a secret of the benchmark',
    resave: false,
    saveUninitialized: false,
    rolling: false,
    cookie: { maxAge: DAY_MS },
  }),
);
app.get('/sign-in/:user', (request, response) => {
  fill(dataOf(request), request.params.user);
  response.send('signed in');
});
app.get('/untouched', (_request, response) => response.send('a page'));
app.get('/read', (request, response) => response.send(dataOf(request).user ?? 'nobody'));
app.get('/change', (request, response) => {
  const data = dataOf(request);
  data.visits = (data.visits ?? 0) + 1;
  response.send('changed');
});
const listener = app.listen(0, '127.0.0.1', () => process.send?.({ port: (listener.address() as AddressInfo).port }));
// While the other site is asked, no browser of this one is sent away.
listener.keepAliveTimeout = 0;
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu_us: user + system });
});
process.on('disconnect', () => process.exit());
