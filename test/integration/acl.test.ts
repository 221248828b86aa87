/** The permissions that docs/SECURITY.md shows, each as it stands there, and what they let through. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { hasOwnCategories, ROOT, useServer } from '../support/server.ts';
import type { RawConnection } from '../support/raw.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/SECURITY.md'), 'utf8');
const EXAMPLES = [...PAGE.matchAll(/^ {4}(ACL SETUSER (\w+) on >(\S+) .*)$/gm)].map(([, line, user, password]) => ({
  line: line!,
  user: user!,
  password: password!,
}));

/** What each of them may do and what not; <id> is a session of the user `user:1`. */
const RULES: Record<string, { allowed: string[]; refused: string[] }> = {
  deploy: {
    // What it is for: deploy.test.ts.
    allowed: ['WASM.MODULES', 'INFO replication', 'CONFIG GET wasm.dir'],
    refused: ['CONFIG SET dir /', 'MODULE LIST', 'SESSION.GET <id>', 'CUSTOM.KEYS', 'GET user:1', 'ACL LIST'],
  },
  app: {
    allowed: [
      'SESSION.CREATE user:2',
      'SESSION.GET <id>',
      'SESSION.ADD_DATA <id> f v',
      'SESSION.GET_DATA <id> f',
      'SESSION.GETALL <id>',
      'SESSION.TOUCH <id>',
      'SESSION.EXPIRE <id> 60',
      'SESSION.ROTATE <id> GRACE 60000',
      'SESSION.DELETE <id>',
    ],
    refused: ['SESSION.CREATE other', 'SESSION.LIST', 'CUSTOM.GET user:1', 'CUSTOM.SET user:1 v', 'CUSTOM.KEYS', 'GET user:1', 'INFO'],
  },
  gate: {
    allowed: ['SESSION.GET <id>'],
    refused: ['SESSION.DELETE <id>', 'SESSION.ADD_DATA <id> f v', 'SESSION.GET user:1', 'SESSION.CREATE user:1', 'SESSION.LIST'],
  },
  web: {
    allowed: [
      'MULTI',
      'SESSION.CREATE app:1 NEW ID app:0123456789abcdef DATA f v',
      'SESSION.GETALL app:0123456789abcdef',
      'SESSION.ASSIGN app:0123456789abcdef app:2',
      'SESSION.USER app:2',
      'EXEC',
      'SESSION.DELUSER app:2 EXCEPT app:another-session',
      'SESSION.DELETE app:0123456789abcdef',
    ],
    refused: [
      'SESSION.GETALL <id>',
      'SESSION.ASSIGN <id> app:1',
      'SESSION.DELUSER user:1',
      'SESSION.CREATE user:1',
      'SESSION.CREATE app:1 NEW ID other:0123456789abcdef',
      'SESSION.LIST',
      'SESSION.SCAN 0',
      'CUSTOM.GET app:1',
      'GET app:1',
    ],
  },
  shop: {
    allowed: ['CUSTOM.SET shop:1 v', 'CUSTOM.GET shop:1', 'CUSTOM.EXISTS shop:1', 'CUSTOM.DEL shop:1'],
    refused: ['CUSTOM.SET other v', 'CUSTOM.GET user:1', 'CUSTOM.KEYS', 'SESSION.GET <id>', 'SESSION.CREATE shop:1'],
  },
  report: {
    allowed: ['CUSTOM.GET shop:1', 'CUSTOM.EXISTS shop:1'],
    refused: ['CUSTOM.SET shop:1 v', 'CUSTOM.DEL shop:1', 'CUSTOM.GET user:1', 'CUSTOM.KEYS'],
  },
  probe: {
    allowed: ['PING', 'INFO wasm', 'WASM.MODULES', 'CUSTOM.CHECK', 'SESSION.CHECK'],
    refused: ['CUSTOM.GET user:1', 'SESSION.LIST', 'CUSTOM.KEYS', 'SESSION.GET <id>', 'CONFIG GET wasm.*'],
  },
  team: {
    allowed: ['SESSION.CREATE other', 'SESSION.GET <id>', 'CUSTOM.SET any v', 'CUSTOM.GET any'],
    refused: ['SESSION.LIST', 'SESSION.SCAN 0', 'CUSTOM.KEYS', 'CUSTOM.SCAN 0', 'CUSTOM.CLEAR', 'GET any', 'INFO'],
  },
};

test('every example of the page is tried', () => {
  expect(EXAMPLES.map(({ user }) => user)).toEqual(Object.keys(RULES));
});

describe('the example', () => {
  const server = useServer();
  let id = '';
  beforeEach(async () => {
    id = (await server.send('SESSION.CREATE', 'user:1')).slice(-38, -2);
  });
  const words = (line: string) => line.replace('<id>', id).split(' ');

  async function login({ line, user, password }: (typeof EXAMPLES)[number]): Promise<RawConnection> {
    expect(await server.send(...line.split(' '))).toBe('+OK\r\n');
    const client = await server.connect();
    expect(await client.send('AUTH', user, password)).toBe('+OK\r\n');
    return client;
  }

  test.each(EXAMPLES)('$user', async (example) => {
    if (example.user === 'team' && !hasOwnCategories) {
      // The server is older than the page asks for: it refuses the example, and no user is made.
      expect(await server.send(...example.line.split(' '))).toMatch(/^-ERR .*(category|command)/i);
      return;
    }
    const client = await login(example);
    const { allowed, refused } = RULES[example.user]!;
    for (const line of refused)
      expect(await client.send(...words(line)), line).toMatch(/^-(?:NOPERM|ERR the user has no permission for the id)/);
    for (const line of allowed) expect(await client.send(...words(line)), line).not.toMatch(/^-/);
  });
});
