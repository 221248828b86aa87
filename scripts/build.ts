/**
 * `npm run build`: everything that the package holds: the modules, the host, and the client and the program
 * in JavaScript.
 */
import { ensureBuilt, HOST, PACKAGE, WASM } from './lib/build.ts';
import { main, say } from './lib/process.ts';

await main(() => {
  ensureBuilt(WASM);
  ensureBuilt(HOST);
  ensureBuilt(PACKAGE);
  say('build/ is up to date');
  return 0;
});
