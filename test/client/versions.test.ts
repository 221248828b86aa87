/** Versions of node-redis that this package does not work with: told by name. No server. */
import { createClient, createCluster } from 'redis-4';
import { describe, expect, it } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import { SessionStore } from '../../client/express.ts';
import { custom, session } from '../../client/index.ts';
import { KeyvCustom } from '../../client/keyv.ts';

const NEEDED = 'a client of node-redis 6 is needed, and this one is of version 4 or earlier: npm install redis@6';

type Namespaces = Record<'custom' | 'session', Record<string, (...given: unknown[]) => Promise<unknown>>>;

describe.each([
  ['createClient', () => createClient({ modules: { custom, session } as never })],
  ['createCluster', () => createCluster({ modules: { custom, session } as never, rootNodes: [] })],
] as [string, () => unknown][])('%s of node-redis 4', (_title, create) => {
  it('rejects every command with the version that is needed', async () => {
    const client = create() as Namespaces;
    for (const [name, commands] of Object.entries({ custom, session }) as ['custom' | 'session', object][]) {
      for (const command of Object.keys(commands)) {
        await expect(client[name][command]!('key', 'value'), command).rejects.toThrow(`modules.${name}: ${NEEDED}`);
      }
    }
  });

  it('is refused by each adapter', () => {
    const client = create() as never;
    for (const make of [SessionStore, KeyvCustom]) expect(() => new make({ client })).toThrow(`options.client: ${NEEDED}`);
    expect(() => secondaryStorage({ client })).toThrow(`options.client: ${NEEDED}`);
  });
});
