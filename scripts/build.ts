/** `npm run build`: build/hashmap.wasm, build/session.wasm and build/host.so. */
import { ensureBuilt, HOST, WASM } from './lib/build.ts';
import { main, say } from './lib/process.ts';

await main(() => {
  ensureBuilt(WASM);
  ensureBuilt(HOST);
  say('build/ is up to date');
  return 0;
});
