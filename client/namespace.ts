/** A namespace of commands, `client.custom` or `client.session`, whose calls go another way. */
import { ArgumentError } from './arguments.ts';

/**
 * The same namespace; what a call of it answers is what `around` makes of the call.
 * Throws an ArgumentError where there is no namespace.
 */
export function wrapped<T extends object>(namespace: T, around: (call: () => unknown) => unknown): T {
  if (typeof namespace !== 'object' || (namespace as unknown) === null) {
    throw new ArgumentError('namespace', 'client.custom or client.session of a client created with { modules: { custom, session } }');
  }
  return new Proxy(namespace, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const call = member as (...given: unknown[]) => unknown;
      return (...given: unknown[]) => around(() => Reflect.apply(call, target, given));
    },
  });
}
