/**
 * Keyv in each of its versions that there is here: 5, and 6 where it has been fetched (vitest.config.ts tells
 * where not).
 */
import { Keyv as Keyv5 } from 'keyv';
import * as keyv from '../../scripts/lib/keyv.ts';

export { Keyv5 };

const FILE = keyv.find();

/** Keyv 6, as far as tests use it: its types are looked at by test/client/package.test.ts. */
interface Keyv6Module {
  Keyv: typeof Keyv5;
  KeyvMemoryAdapter: new (store: Map<unknown, unknown>) => {
    namespace?: string | undefined;
    capabilities: { methods: object };
  };
}

/** undefined: not fetched */
export const keyv6 = FILE === undefined ? undefined : ((await import(FILE)) as Keyv6Module);

export const KEYVS: { title: string; version: 5 | 6; Keyv: typeof Keyv5 }[] = [
  { title: 'Keyv 5', version: 5, Keyv: Keyv5 },
  ...(keyv6 === undefined ? [] : [{ title: 'Keyv 6', version: 6 as const, Keyv: keyv6.Keyv }]),
];
