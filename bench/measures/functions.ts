/**
 * What a function of a library costs on servers with scripting engines (Valkey): FCALL of an empty one in
 * WebAssembly over an empty one in Lua, and over the same command of a module.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/process.ts';
import { fixture, kitModules } from '../lib/fixture.ts';
import { command } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { steady, takeTurns } from '../lib/rounds.ts';
import { withServer } from '../lib/server.ts';
import { CONNECTIONS, OK_BYTES, PIPELINE } from '../lib/sizes.ts';
import { median, ratio, show } from '../lib/statistics.ts';

const COMMANDS_PER_ROUND = 200_000;
const LUA = `#!lua name=luatwin
server.register_function('lua_none', function() return server.status_reply('OK') end)`;

const OPERATIONS = {
  wasm: command(() => ['FCALL', 'empty_none', '0'], OK_BYTES),
  lua: command(() => ['FCALL', 'lua_none', '0'], OK_BYTES),
  module: command(() => ['NOOP.OK'], OK_BYTES),
};

async function compare({ server, rounds, print }: Context): Promise<void> {
  const [file = ''] = await kitModules([path.join(ROOT, 'test/fixtures/kit/empty.ts')]);
  await withServer(server, { modules: [await fixture('noop')] }, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    const asking = await measured.connection();
    const code = `#!wasm name=empty\n${readFileSync(file).toString('base64')}`;
    for (const library of [code, LUA]) {
      const reply = await asking.ask(['FUNCTION', 'LOAD', library]);
      if (!reply.startsWith('$')) throw new Error(`FUNCTION LOAD: ${reply}`);
    }
    const contenders = (['lua', 'module', 'wasm'] as const).map((side) =>
      steady(side, measured, connections, { operation: OPERATIONS[side], count: COMMANDS_PER_ROUND, pipeline: PIPELINE }),
    );
    const { wasm, lua, module } = await takeTurns(contenders, rounds);
    for (const [name, peer] of [
      ['FCALL of Lua', lua],
      ['the command of a module', module],
    ] as const) {
      print(`FCALL of an empty function over ${name}`, show(ratio(wasm.cpu_ns, peer.cpu_ns)), `${median(peer.cpu_ns).toFixed(0)} ns`);
    }
  });
}

export const functions: Measure = {
  name: 'functions',
  summary: 'FCALL of an empty function in WebAssembly over one in Lua, and over a command (Valkey): server CPU',
  async run(context) {
    if (context.server.name === 'Valkey') await compare(context);
  },
};
