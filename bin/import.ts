/**
 * `npx redis-wasm import [--from <server>] [--to <server>] [--prefix <text>]`: copies what `export` has
 * written back into CUSTOM.* and SESSION.*, of the same server or of another.
 */
import { importAll } from '../client/transfer/import.ts';
import { Layout } from '../client/transfer/layout.ts';
import { type Wire, WireError } from '../client/transfer/wire.ts';
import { Problem } from './process.ts';
import { options, isClustered, requireModules, shown, teller, withServers } from './transfer.ts';

/** Settings that would limit sessions which have no limit. */
const LIMITS = ['wasm.session-idle', 'wasm.session-ttl'];

export async function command(given: string[]): Promise<number> {
  const wanted = options(given, false);
  return withServers(wanted, async (from, to) => {
    await requireModules(to);
    if (await isClustered(to)) throw new Problem('A node of a cluster takes its own keys alone: import into a server of its own (--to).');
    await requireNoLimits(to);
    const tell = teller();
    const done = await importAll(from, to, new Layout(wanted.prefix), (soFar) => {
      tell(() => `${shown(soFar.sessions)} sessions, ${shown(soFar.entries)} entries`);
    });
    console.log(`imported ${shown(done.sessions)} sessions and ${shown(done.entries)} entries`);
    if (done.known > 0) console.log(`${shown(done.known)} sessions were there already, and were left as they are`);
    if (done.ended > 0) console.log(`${shown(done.ended)} sessions had ended, or had less than a second left`);
    const [first] = done.unsound;
    if (first === undefined) return 0;
    console.error(
      `${shown(done.unsound.size)} keys are not as export writes them, and were left out. The first is ${JSON.stringify(first)}`,
    );
    return 1;
  });
}

async function requireNoLimits(to: Wire): Promise<void> {
  for (const name of LIMITS) {
    const [, value] = (await to.call(['CONFIG', 'GET', name]).catch((error: unknown) => {
      // Who may not read settings has to know them.
      if (!(error instanceof WireError) || !error.reply.startsWith('NOPERM')) throw error;
      return [];
    })) as Buffer[];
    if (value !== undefined && value.toString() !== '0') {
      throw new Problem(
        `${name} is ${value.toString()}, which sessions without a limit would get: CONFIG SET ${name} 0 while they are imported.`,
      );
    }
  }
}
