/** What a store asks of its client: the commands, with text in their answers. */
import type { RedisArgument } from '../command.ts';
import type { Scannable } from '../scan.ts';
import type { Created, CreateOptions } from '../session/CREATE.ts';
import type { DelUserOptions } from '../session/DELUSER.ts';
import type { Session } from '../session/GET.ts';
import type { SessionInfo } from '../session/INFO.ts';

/** The commands that a save is made of. */
export interface Commands {
  addData(id: string, fields: ReadonlyMap<string, string>): unknown;
  delData(id: string, fields: readonly string[]): unknown;
  expire(id: string, seconds: number, limit: 'IDLE' | 'TTL'): unknown;
  touch(id: string): unknown;
  assign(id: string, user: RedisArgument): unknown;
}

export type Times = Pick<SessionInfo, 'createdAt' | 'lastAccessed' | 'ttl'>;

/** A client that answers text, and Maps for maps. */
export interface TextClient {
  session: Commands &
    Scannable<string> & {
      create(user: RedisArgument, options: CreateOptions): Promise<Created>;
      get(id: string): Promise<Session | null>;
      info(id: string): Promise<Times | null>;
      getAll(id: string): Promise<Map<string, string> | null>;
      delete(id: string): Promise<number>;
      user(user: RedisArgument): Promise<string[]>;
      delUser(user: RedisArgument, options: DelUserOptions): Promise<number>;
      count(): Promise<number>;
    };
  multi(): { session: Commands & { info(id: string): unknown }; exec(): Promise<unknown[]> };
}

/** One command of a save. `mayAnswer0`: 0 does not mean that the session has ended. */
export interface Step {
  run: (commands: Commands) => unknown;
  mayAnswer0?: true;
}
