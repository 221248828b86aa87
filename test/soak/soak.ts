/** A server under traffic of a constant live size, and what its memory comes to. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasuredServer } from '../../bench/lib/server.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { RawConnection } from '../support/raw.ts';
import { Client } from './traffic.ts';

const CLIENTS = 8;
/** Time for what the server does by itself, such as giving memory back. */
const REST_MS = 300;

export interface Plan {
  operations: number;
  intervals: number;
  keys: number;
  users: number;
  seed: number;
  link: 'auto' | 'command';
}

/** What an interval has led to; memory in bytes, that of linear memory over all groups. */
export interface Sample {
  operations: number;
  seconds: number;
  reserved: number;
  free: number;
  resident: number;
}

/**
 * Runs the plan on a server of its own.
 * @param seen called with the sample of each interval
 * @returns the samples of all intervals
 * @throws Error at the first reply that is an error, at a check that fails, and where INFO counts a fault
 */
export async function soak(server: Server, plan: Plan, seen: (sample: Sample) => void): Promise<Sample[]> {
  const measured = await MeasuredServer.start(server, { pinned: false, settings: ['--wasm.link', plan.link] });
  try {
    const own = await RawConnection.connect(measured.socket);
    const share = (index: number) => ({
      name: `client ${index}`,
      keys: Math.ceil(plan.keys / CLIENTS),
      users: Math.ceil(plan.users / CLIENTS),
    });
    const open = (_: unknown, index: number) => Client.open(measured.socket, share(index), plan.seed * CLIENTS + index);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, open));
    const each = Math.ceil(plan.operations / plan.intervals / CLIENTS);
    const begun = performance.now();
    const samples: Sample[] = [];
    for (let interval = 1; interval <= plan.intervals; interval++) {
      await Promise.all(clients.map((client) => client.run(each)));
      const seconds = (performance.now() - begun) / 1000;
      await sleep(REST_MS);
      await expectSound(own);
      const memory = memoryOf(await own.send('INFO', 'wasm'), plan.link);
      const sample = { operations: each * CLIENTS * interval, seconds, ...memory, resident: measured.residentBytes() };
      samples.push(sample);
      seen(sample);
    }
    for (const client of clients) client.close();
    own.close();
    return samples;
  } finally {
    await measured.stop();
  }
}

async function expectSound(connection: RawConnection): Promise<void> {
  for (const command of ['CUSTOM.CHECK', 'SESSION.CHECK']) {
    const reply = await connection.send(command);
    if (reply !== '+OK\r\n') throw new Error(`${command}: ${reply}`);
  }
  const faults = /^wasm_(traps|timeouts|damaged):[^0]/m.exec(await connection.send('INFO', 'wasm'));
  if (faults) throw new Error(`INFO counts a fault: ${faults[0]}…`);
}

/** The memory of all groups: directly linked modules share one, and each tells of it. */
function memoryOf(info: string, link: Plan['link']): { reserved: number; free: number } {
  const sum = (field: string) => {
    const all = [...info.matchAll(new RegExp(`^wasm_memory_${field}:(\\d+)`, 'gm'))].map(([, value]) => Number(value));
    return link === 'auto' ? Math.max(...all) : all.reduce((left, right) => left + right, 0);
  };
  return { reserved: sum('reserved'), free: sum('free') };
}
