/** Servers that a person names: `redis://…`, `rediss://…`, `unix:<path>`, or a path. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { connect, type Wire, type WireError } from '../client/transfer/wire.ts';
import { Problem, reasonOf } from './process.ts';
import { UsageProblem } from './usage.ts';

const text = { type: 'string' } as const;
/** The options of TLS, called as redis-cli calls them: files in PEM. */
export const TLS_OPTIONS = { cacert: text, cert: text, key: text };

/** Whom a connection by TLS trusts, and what it shows. */
export interface Tls {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

/**
 * Reads the files of the options.
 * @param addresses of the servers that they are for
 * Throws a Problem for what cannot be read, and where no server is asked by TLS.
 */
export function tlsOf(given: Partial<Record<keyof typeof TLS_OPTIONS, string>>, addresses: string[]): Tls {
  const { cacert, cert, key } = given;
  if (cacert === undefined && cert === undefined && key === undefined) return {};
  if ((cert === undefined) !== (key === undefined)) throw new UsageProblem('--cert and --key belong together.');
  if (!addresses.some((address) => isTls(address)))
    throw new UsageProblem('--cacert, --cert and --key are for TLS, and no server is asked by it: rediss://host:port.');
  const tls: Tls = {};
  if (cacert !== undefined) tls.ca = pem(cacert);
  if (cert !== undefined && key !== undefined) Object.assign(tls, { cert: pem(cert), key: pem(key) });
  return tls;
}

function pem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Problem(`${file} cannot be read: ${reasonOf(error)}`);
  }
}

function isTls(address: string): boolean {
  return socketOf(address) === undefined && urlOf(address).protocol === 'rediss:';
}

/** What OpenSSL says of certificates, or a server of its cluster, and what mends it. */
const HINTS: [RegExp, string][] = [
  [/self-signed certificate|unable to (?:get|verify)/, 'Where its certificate is of a CA of your own: --cacert <file>.'],
  [/CLUSTERDOWN/, 'redis-cli --cluster check <host>:<port> says which slots have no node, or which node is away.'],
  [/alert (?:certificate required|handshake failure)/, 'It asks for a certificate: --cert <file> --key <file>.'],
];

/** The message of an error, with what to do about it where that is known. */
export function advised({ message }: WireError): string {
  const hint = HINTS.find(([pattern]) => pattern.test(message))?.[1];
  return hint === undefined ? message : `${message.trimEnd()}\n${hint}`;
}

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
export async function open(address: string, tls: Tls): Promise<Wire> {
  const file = socketOf(address);
  const name = nameOf(address);
  if (file === undefined) return connect(name, { url: address, ...(isTls(address) ? { socket: { tls: true, ...tls } } : {}) });
  if (!existsSync(file)) throw new Problem(`${name}: there is no such socket. A server by host and port is redis://host:port.`);
  return connect(name, { socket: { path: file, tls: false } });
}
