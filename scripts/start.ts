/**
 * `npm start -- <redis-server arguments>`: builds what is missing and runs a server that serves CUSTOM.* and
 * SESSION.*.
 *
 * Every argument goes to redis-server and wins over the defaults here: the data folder (data/) and the
 * address (loopback). With a configuration file as the first argument only the module is added. Ctrl-C ends
 * the server, which saves its data first.
 */
import path from 'node:path';
import { launch, serverArguments, type Launch } from '../bin/launch.ts';
import { asksForHelp } from '../bin/usage.ts';
import { ensureBuilt, HOST, WASM } from './lib/build.ts';
import { main, ROOT } from './lib/process.ts';
import { choose } from './lib/servers.ts';

const USAGE = `usage: npm start -- [<redis.conf>] [redis-server arguments]
Builds what is missing, and runs a redis-server or valkey-server with both modules: what REDIS_SERVER names, else the one on PATH.
All arguments are the server's own, as redis-server --help shows them: --port 6380
The data is kept in data/, unless --dir names another folder; with a redis.conf where that says, else in the current folder.`;

await main(() => {
  if (asksForHelp(process.argv.slice(2))) {
    console.log(USAGE);
    return 0;
  }
  const request: Launch = {
    userArguments: process.argv.slice(2),
    folder: process.env.INIT_CWD ?? process.cwd(),
    host: path.join(ROOT, 'build/host.so'),
    dataFolder: path.join(ROOT, 'data'),
    cache: path.join(ROOT, 'build/cache'),
    command: 'npm start --',
    client: 'npm run --silent cli --',
  };
  // Says what is wrong with them before a build of minutes.
  serverArguments(request);
  ensureBuilt(WASM);
  ensureBuilt(HOST);
  return launch(choose(), request);
});
