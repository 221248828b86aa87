/**
 * `npx redis-wasm export [--from <server>] [--to <server>] [--prefix <text>] [--prune]`: copies all of
 * CUSTOM.* and SESSION.* into the server's own keys, of the same server or of another. docs/OPERATIONS.md
 * says what they look like.
 */
import { exportAll } from '../client/transfer/export.ts';
import { Layout } from '../client/transfer/layout.ts';
import { Problem } from './process.ts';
import { options, isClustered, requireModules, shown, teller, withServers } from './transfer.ts';

export async function command(given: string[]): Promise<number> {
  const wanted = options(given, true);
  if (wanted.prune && wanted.prefix === '') throw new Problem('--prune deletes all under the prefix, so it needs one that is not empty.');
  return withServers(wanted, async (from, to) => {
    await requireModules(from);
    if (await isClustered(to))
      throw new Problem('The keys would go to a cluster, whose nodes share them: export to a server of its own (--to).');
    const [entries, sessions] = (await Promise.all([from.call(['CUSTOM.LEN']), from.call(['SESSION.COUNT'])])) as number[];
    const tell = teller();
    const done = await exportAll(from, to, new Layout(wanted.prefix), {
      prune: wanted.prune,
      clustered: await isClustered(from),
      report: (soFar) => {
        tell(
          () => `${shown(soFar.sessions)} of ${shown(sessions ?? 0)} sessions, ${shown(soFar.entries)} of ${shown(entries ?? 0)} entries`,
        );
      },
    });
    console.log(`exported ${shown(done.sessions)} sessions and ${shown(done.entries)} entries`);
    if (wanted.prune) console.log(`deleted ${shown(done.pruned)} keys of what is no longer there`);
    if (done.accessed > 0)
      console.log(
        `${shown(done.accessed)} sessions hold bytes that are no text: reading them was an access, from which their idle limit counts`,
      );
    return 0;
  });
}
