/**
 * The client behind a sentinel: the same commands and adapters, and after a failover they go on with what the
 * replica has.
 */
import { once } from 'node:events';
import { Keyv } from 'keyv';
import { createSentinel } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import { SessionStore } from '../../client/express.ts';
import { custom, scanIterator, session, SessionNotFoundError, typedError } from '../../client/index.ts';
import { KeyvCustom } from '../../client/keyv.ts';
import { eventually, startServer } from '../support/server.ts';

const LOCAL = ['--bind', '127.0.0.1'];

it('serves every command and adapter, before a failover and after it', { timeout: 120_000 }, async () => {
  const primary = await startServer({ tcp: true, arguments: LOCAL });
  const replica = await startServer({ tcp: true, arguments: [...LOCAL, '--replicaof', `127.0.0.1 ${primary.port}`] });
  await eventually(
    () => replica.info('replication'),
    (fields) => fields.master_link_status === 'up',
  );
  const watch = `sentinel monitor main 127.0.0.1 ${primary.port} 1\nsentinel failover-timeout main 2000\n`;
  const sentinel = await startServer({ tcp: true, module: false, configuration: watch, arguments: [...LOCAL, '--sentinel'] });
  await eventually(
    () => sentinel.send('SENTINEL', 'REPLICAS', 'main'),
    (reply) => reply.startsWith('*1\r\n'),
  );
  const client = createSentinel({
    name: 'main',
    sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }],
    modules: { custom, session },
    scanInterval: 100,
  });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(async () => {
    await client.close();
  });
  const store = new SessionStore({ client, userOf: (data) => data.user });
  const keyv = new Keyv({ store: new KeyvCustom({ client }) });
  const storage = secondaryStorage({ client });

  const { id } = await client.session.create('alice', { data: { theme: 'dark' } });
  const [stored, answered] = await client.multi().custom.set('a', '1').custom.get('a').exec();
  expect([stored, answered]).toEqual(['OK', '1']);
  await keyv.set('page', { title: 'Home' });
  expect(await storage.increment('rate', 60)).toBe(1);
  const data: unknown = { user: 'bob', cookie: { originalMaxAge: null } };
  await new Promise((resolve) => {
    store.set('a-session-id-of-32-characters-00', data as never, resolve);
  });
  const { master_repl_offset } = await primary.info('replication');
  await eventually(
    () => replica.info('replication'),
    (fields) => Number(fields.slave_repl_offset) >= Number(master_repl_offset),
  );

  const switched = once(client, 'topology-change');
  // It has to have asked the replica first whether that is fit.
  const failover = () => sentinel.send('SENTINEL', 'FAILOVER', 'main');
  expect(await eventually(failover, (reply) => reply === '+OK\r\n')).toBe('+OK\r\n');
  await switched;
  await eventually(
    () => client.custom.set('after', '1').catch(() => undefined),
    (reply) => reply === 'OK',
  );
  // The sentinel has ended the connections of before.
  expect(await (await replica.connect()).send('CUSTOM.GET', 'after')).toBe('$1\r\n1\r\n');
  expect((await client.session.get(id))?.data.theme).toBe('dark');
  expect(await keyv.get('page')).toEqual({ title: 'Home' });
  expect(await storage.increment('rate', 60)).toBe(2);
  expect(await store.ids('bob')).toEqual(['a-session-id-of-32-characters-00']);
  const met: string[] = [];
  for await (const ids of scanIterator(client.session)) met.push(...ids);
  expect(met).toHaveLength(2);
  const unknown: unknown = await client.session.getData('an-id-that-is-none', 'a').catch((error: unknown) => error);
  expect(typedError(unknown)).toBeInstanceOf(SessionNotFoundError);
});
