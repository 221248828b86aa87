/** The shipped .wasm files in Node, as something to run operations on. */
import { FakeServer, type Options } from '../support/fake-redis.ts';
import type { Target } from './operations.ts';

const STEP_MS = 7;

/**
 * Both modules, linked so; the clock goes on with each command. `DEBUG RELOAD` saves, flushes and loads both.
 */
export function fakeTarget(link: 'direct' | 'command', options: Options = {}): Target & { server: FakeServer } {
  const server = new FakeServer({ link, ...options });
  const latin1 = (text: string) => Buffer.from(text, 'latin1');
  return {
    name: `linked ${link}`,
    server,
    now: () => (server.clock += STEP_MS),
    pass: (ms) => (server.clock += ms),
    sweep: () => void server.sweep(),
    send: ([name = '', ...args]) => {
      if (name === 'FLUSHALL' || name === 'DEBUG RELOAD') {
        if (args.length > 0) return server.text(name, ...args.map(latin1));
        for (const module of server.modules) {
          if (name === 'FLUSHALL') module.exports.flush();
          else if (!server.load(module, server.save(module))) return '-ERR it cannot load what it saved\r\n';
        }
        return '+OK\r\n';
      }
      return server.text(name, ...args.map(latin1));
    },
  };
}
