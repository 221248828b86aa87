import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { serve } from 'redis-wasm/testing';

/** A server of its own, with all modules of this folder; of one: `serve({ modules: ['counter.ts'] })`. */
let server;
before(async () => {
  server = await serve();
});
after(() => server.end());
beforeEach(() => server.client.sendCommand(['FLUSHALL']));

const send = (...words) => server.client.sendCommand(words);

test('counts', async () => {
  assert.equal(await send('COUNTER.GET', 'visits'), 0);
  assert.equal(await send('COUNTER.ADD', 'visits'), 1);
  assert.equal(await send('COUNTER.ADD', 'visits', 'BY', '5'), 6);
  assert.equal(await send('COUNTER.ADD', 'sales'), 1);
  assert.equal(await send('COUNTER.TOTAL', 'visits', 'sales'), 7);
});

test('a refused amount changes nothing', async () => {
  await assert.rejects(send('COUNTER.ADD', 'visits', 'BY', '0'), /ERR the amount must be at least 1/);
  assert.equal(await send('COUNTER.GET', 'visits'), 0);
});
