/** The transcript that the README shows, through node-redis. */
import { expect, test } from 'vitest';
import { useServer } from '../support/server.ts';

const server = useServer();

test.each([2, 3] as const)('the README transcript in RESP%i', async (protocol) => {
  const client = await server.client(protocol);
  try {
    const created = await client.sendCommand(['SESSION.CREATE', 'user123']);
    const id = await client.sendCommand(['CUSTOM.GET', 'user123']);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(created).toBe(`Session created: ${id as unknown as string}`);
    const known = id as unknown as string;

    expect(await client.sendCommand(['SESSION.ADD_DATA', known, 'email', 'user@example.com'])).toBe('OK');
    expect(await client.sendCommand(['SESSION.GET_DATA', known, 'email'])).toBe('user@example.com');
    const json = JSON.parse((await client.sendCommand(['SESSION.GET', known])) as unknown as string) as object;
    expect(json).toMatchObject({ id: known, user_key: 'user123', data: { email: 'user@example.com' } });
    expect(await client.sendCommand(['SESSION.LIST'])).toEqual([expect.stringContaining(`ID: ${known}, Key: user123, Created: `)]);

    expect(await client.sendCommand(['SESSION.DELETE', known])).toBe(1);
    expect(await client.sendCommand(['SESSION.GET', known])).toBeNull();
    expect(await client.sendCommand(['CUSTOM.GET', 'user123'])).toBeNull();
  } finally {
    client.destroy();
  }
});

test('the commands work in MULTI and in scripts', async () => {
  const client = await server.client();
  try {
    const replies = await client.multi().addCommand(['SESSION.CREATE', 'user']).addCommand(['CUSTOM.GET', 'user']).exec();
    const [created, id] = replies as unknown as [string, string];
    expect(created).toBe(`Session created: ${id}`);
    const script = "redis.call('SESSION.ADD_DATA', ARGV[1], 'field', 'value') return redis.call('SESSION.GET_DATA', ARGV[1], 'field')";
    expect(await client.eval(script, { arguments: [id] })).toBe('value');
    expect(await client.eval("return redis.call('CUSTOM.GET', KEYS[1])", { keys: ['user'] })).toBe(id);
  } finally {
    client.destroy();
  }
});
