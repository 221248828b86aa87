/**
 * `npm start -- <redis-server arguments>`: builds what is missing and runs a server that serves CUSTOM.* and SESSION.*.
 *
 * Every argument goes to redis-server and wins over the defaults here: the data folder (data/) and the address (loopback). With a
 * configuration file as the first argument only the module is added. Ctrl-C ends the server, which saves its data first.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launch, serverArguments, type Launch } from '../bin/launch.ts';
import { ensureBuilt, HOST, WASM } from './lib/build.ts';
import { main, ROOT } from './lib/process.ts';
import { choose } from './lib/servers.ts';

const DATA_FOLDER = path.join(ROOT, 'data');

await main(() => {
  const request: Launch = {
    userArguments: process.argv.slice(2),
    folder: process.env.INIT_CWD ?? process.cwd(),
    host: path.join(ROOT, 'build/host.so'),
    dataFolder: DATA_FOLDER,
    command: 'npm start --',
    client: 'npm run --silent cli --',
  };
  const usesDataFolder = serverArguments(request).includes(DATA_FOLDER);
  ensureBuilt(WASM);
  ensureBuilt(HOST);
  if (usesDataFolder) mkdirSync(DATA_FOLDER, { recursive: true });
  return launch(choose(), request);
});
