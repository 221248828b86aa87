/**
 * What stores hear of a client: by one listener for each of its events, however many stores there are on one
 * client.
 */
import type { EventEmitter } from 'node:events';

const heard = new WeakMap<object, Map<string | symbol, Set<() => void>>>();

/**
 * Calls `listener` after each such event of this client. Of a client that is no EventEmitter nothing is
 * heard.
 */
export function listen(client: unknown, event: string | symbol, listener: () => void): void {
  const emitter = client as EventEmitter;
  if (typeof (emitter as Partial<EventEmitter>).on !== 'function') return;
  const events = heard.get(emitter) ?? new Map<string | symbol, Set<() => void>>();
  heard.set(emitter, events);
  const listeners = events.get(event) ?? new Set();
  if (!events.has(event)) {
    emitter.on(event, () => {
      for (const each of listeners) each();
    });
  }
  events.set(event, listeners.add(listener));
}
