/** Permissions of ids that no command declares, through every way in which a command can be run. */
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, type RawConnection } from '../support/raw.ts';
import { follow, startPair } from '../support/replication.ts';
import { hasDatabaseRules, HOST_FILE, NATIVE_FILE, SESSION_FILE, startServer, type TestServer, useServer } from '../support/server.ts';

const server = useServer();
/** An id that nothing knows: that of a session which was ended, which its owner's cookie may still name. */
const UNKNOWN = '01234567-89ab-4cde-8f01-23456789abcd';
const IDS = '~????????-????-4???-????-????????????';
const CREATED = /^\+Session created: (?!01234567)/;

/** A connection of a new user with these rules. */
const as = (...rules: string[]) => asOn(server, ...rules);
async function asOn(of: TestServer, ...rules: string[]): Promise<RawConnection> {
  expect(await of.send('ACL', 'SETUSER', 'limited', 'reset', 'on', '>secret', ...rules)).toBe('+OK\r\n');
  const client = await of.connect();
  expect(await client.send('AUTH', 'limited', 'secret')).toBe('+OK\r\n');
  return client;
}

/** The ways in which a client can have a command run; each answers its reply. */
const WAYS: Record<string, (client: RawConnection, ...command: string[]) => Promise<string>> = {
  plain: (client, ...command) => client.send(...command),
  MULTI: async (client, ...command) => {
    await client.send('MULTI');
    const queued = await client.send(...command);
    const replies = await client.send('EXEC');
    return queued.startsWith('-') ? queued : replies.replace('*1\r\n', '');
  },
  EVAL: (client, ...command) => client.send('EVAL', 'return redis.call(unpack(ARGV))', '1', command[1]!, ...command),
  FCALL: (client, ...command) => client.send('FCALL', 'run', '1', command[1]!, ...command),
};
const LIBRARY = "#!lua name=ways\nredis.register_function('run', function(_, args) return redis.call(unpack(args)) end)";
/** What the module says of an id that the user may not use as a key. */
const DENIED = /^-.*ERR the user has no permission for the id/;
const RUN = ['+session.create', '+custom.set', '+multi', '+exec', '+eval', '+fcall'];

beforeEach(async () => {
  expect(await server.send('FUNCTION', 'LOAD', 'REPLACE', LIBRARY)).toBe(bulk('ways'));
});

describe.each(Object.entries(WAYS))('by %s', (_, run) => {
  test('an id of one’s own must be covered by the patterns', async () => {
    const client = await as('~user:*', ...RUN);
    expect(await run(client, 'SESSION.CREATE', 'user:x', 'NEW', 'ID', 'user:0123456789abcdef')).toContain(
      '+Session created: user:0123456789abcdef',
    );
    const refused = await run(client, 'SESSION.CREATE', 'user:x', 'NEW', 'ID', UNKNOWN);
    expect(refused).toMatch(DENIED);
    expect(await server.send('SESSION.INFO', UNKNOWN)).toBe('$-1\r\n');
  });

  test('an unknown id comes back to whoever may use it as a key alone', async () => {
    const limited = await as('~user:*', ...RUN);
    expect(await run(limited, 'CUSTOM.SET', 'user:y', UNKNOWN)).toBe('+OK\r\n');
    expect(await run(limited, 'SESSION.CREATE', 'user:y')).toMatch(CREATED);

    await server.send('CUSTOM.SET', 'user:z', UNKNOWN);
    const allowed = await as('~user:*', IDS, ...RUN);
    expect(await run(allowed, 'SESSION.CREATE', 'user:z')).toBe(`+Session recreated: ${UNKNOWN}\r\n`);
  });

  test('a selector of another command counts for nothing', async () => {
    const client = await as('~user:*', ...RUN, `(${IDS} +session.get)`);
    expect(await run(client, 'SESSION.CREATE', 'user:x', 'NEW', 'ID', UNKNOWN)).toMatch(DENIED);
    await server.send('CUSTOM.SET', 'user:y', UNKNOWN);
    expect(await run(client, 'SESSION.CREATE', 'user:y')).toMatch(CREATED);
  });

  test('who may only write a user’s key does not learn the id', async () => {
    await server.send('SESSION.CREATE', 'user:x');
    const client = await as('%W~*', ...RUN);
    expect(await run(client, 'SESSION.CREATE', 'user:x')).toMatch(/^-.*(NOPERM|No permissions)/);
  });
});

test('on a replica that clients may write to it is the same', async () => {
  const { primary, replica } = await startPair({ arguments: ['--replica-read-only', 'no'] });
  await follow(replica, primary);
  const limited = await asOn(replica, '~user:*', ...RUN);
  expect(await limited.send('SESSION.CREATE', 'user:x', 'NEW', 'ID', UNKNOWN)).toMatch(DENIED);
  expect(await limited.send('CUSTOM.SET', 'user:y', UNKNOWN)).toBe('+OK\r\n');
  expect(await limited.send('SESSION.CREATE', 'user:y')).toMatch(CREATED);
  const allowed = await asOn(replica, '~user:*', IDS, ...RUN);
  expect(await allowed.send('SESSION.CREATE', 'user:x', 'NEW', 'ID', UNKNOWN)).toBe(`+Session created: ${UNKNOWN}\r\n`);
});

test.runIf(hasDatabaseRules)('rules of databases hold as for declared keys', async () => {
  const OWN = 'user:0123456789abcdef';
  const client = await as('~user:*', ...RUN, '+select', 'db=3', `(~user:* ${IDS} +session.create db=4)`);
  expect(await client.send('SESSION.CREATE', 'user:x', 'NEW', 'ID', OWN)).toMatch(/^-NOPERM .*database/);
  await client.send('SELECT', '3');
  expect(await client.send('SESSION.CREATE', 'user:x', 'NEW', 'ID', OWN)).toBe(`+Session created: ${OWN}\r\n`);
  expect(await client.send('SESSION.CREATE', 'user:x', 'NEW', 'ID', UNKNOWN)).toMatch(DENIED);
});

test('a module that calls as itself has no user, and may; one that calls on behalf of its caller may what he may', async () => {
  const native = await startServer({ module: [HOST_FILE, SESSION_FILE], arguments: ['--loadmodule', NATIVE_FILE] });
  const limited = await asOn(native, '~user:*', '+native.create', '+native.create_as_user', '+session.create');
  expect(await limited.send('NATIVE.CREATE_AS_USER', 'user:x', UNKNOWN)).toMatch(DENIED);
  expect(await limited.send('NATIVE.CREATE', 'user:x', UNKNOWN)).toBe(`+Session created: ${UNKNOWN}\r\n`);
  expect(await native.send('SESSION.DELETE', UNKNOWN)).toBe(':1\r\n');
  const allowed = await asOn(native, '~user:*', IDS, '+native.create_as_user', '+session.create');
  expect(await allowed.send('NATIVE.CREATE_AS_USER', 'user:x', UNKNOWN)).toBe(`+Session created: ${UNKNOWN}\r\n`);
});
