/** Servers that a person names: `redis://…`, `rediss://…`, `unix:<path>`, or a path. */
import path from 'node:path';
import { connect, type Wire } from '../client/transfer/wire.ts';
import { Problem } from './process.ts';

/** The path of a socket; undefined for what is no path. */
export function socketOf(address: string): string | undefined {
  const file = /^unix:(?:\/\/)?(.+)$/.exec(address)?.[1] ?? (address.includes('://') ? undefined : address);
  return file === undefined ? undefined : path.resolve(file);
}

/** The URL that an address is. Throws a Problem for what is none of a server. */
export function urlOf(address: string): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    // Without user and password, which stand before the last @.
    const named = address.replace(/\/\/.*@/s, '//…@');
    throw new Problem(`${named} is no address of a server: redis://host:port, rediss://host:port, or the path of a socket.`);
  }
  if (!['redis:', 'rediss:'].includes(url.protocol))
    throw new Problem(`${url.protocol}// is no protocol of a server: redis://, or rediss:// for TLS.`);
  return url;
}

/** What an address is called in messages: without user and password. */
export function nameOf(address: string): string {
  const file = socketOf(address);
  return file === undefined ? urlOf(address).host : (/^unix:(?:\/\/)?(.+)$/.exec(address)?.[1] ?? address);
}

/** Connects. Throws a Problem, rejects with a WireError. */
export async function open(address: string): Promise<Wire> {
  const file = socketOf(address);
  const name = nameOf(address);
  return file === undefined ? connect(name, { url: address }) : connect(name, { socket: { path: file, tls: false } });
}
