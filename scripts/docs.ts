/** `npm run docs`: writes what the modules tell of their commands into docs/COMMANDS.md. */
import { writeFileSync } from 'node:fs';
import { ensureBuilt, WASM } from './lib/build.ts';
import { commandsPage } from './lib/commands.ts';
import { main, say } from './lib/process.ts';

await main(() => {
  ensureBuilt(WASM);
  const { file, text } = commandsPage();
  writeFileSync(file, text);
  say(`${file} is up to date`);
  return 0;
});
