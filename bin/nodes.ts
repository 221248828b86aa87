/** The servers that belong to one that a person names: its replicas and their replicas, or its cluster. */
import { isIP } from 'node:net';
import type { Wire } from '../client/transfer/wire.ts';
import { nameOf, open, socketOf, urlOf, type Tls } from './address.ts';
import { Problem } from './process.ts';

export interface Node {
  /** for people: `127.0.0.1:6379` */
  name: string;
  role: 'primary' | 'replica';
  wire: Wire;
  /** whether it runs on this machine */
  isLocal: boolean;
  /** how many servers its stream has come through */
  depth: number;
}

/** A server that is connected. */
interface Found {
  address: string;
  wire: Wire;
  /** of its process */
  id: string;
}

/** Another server, as one tells of it. */
interface Peer {
  host: string;
  port: string;
}

const DEPTH_MAX = 32;
const LOOPBACK = /^(?:127\.[\d.]+|localhost|\[?::1\]?)$/;

/** Finds servers, and keeps its connections until it is closed. */
export class Survey {
  private readonly opened = new Map<string, Found>();
  private readonly nodes = new Map<string, Node>();

  /** @param tls for all of them that are asked by TLS */
  constructor(private readonly tls: Tls) {}

  /**
   * All servers that belong to these, each once: replicas before the servers that they follow. Throws a
   * Problem where one is not to be had, rejects with its WireError.
   */
  async find(addresses: string[]): Promise<Node[]> {
    for (const address of addresses) {
      const found = await this.open(address);
      if (infoOf(await found.wire.call(['INFO', 'cluster'])).get('cluster_enabled') === '1') await this.findCluster(found);
      else await this.findReplicas(await this.topOf(found), 0);
    }
    return [...this.nodes.values()].sort((a, b) => b.depth - a.depth);
  }

  close(): void {
    for (const { wire } of this.opened.values()) wire.close();
  }

  private async open(address: string): Promise<Found> {
    const known = this.opened.get(address);
    if (known !== undefined) return known;
    const wire = await open(address, this.tls);
    const found = { address, wire, id: '' };
    this.opened.set(address, found);
    found.id = infoOf(await wire.call(['INFO', 'server'])).get('run_id') ?? address;
    return found;
  }

  private note({ address, wire, id }: Found, depth: number): boolean {
    if (this.nodes.has(id)) return false;
    const isLocal = socketOf(address) !== undefined || LOOPBACK.test(urlOf(address).hostname);
    this.nodes.set(id, { name: nameOf(address), role: depth === 0 ? 'primary' : 'replica', wire, isLocal, depth });
    return true;
  }

  /** The primary that a server follows, through others. */
  private async topOf(found: Found): Promise<Found> {
    let top = found;
    for (let steps = 0; steps < DEPTH_MAX; steps++) {
      const info = infoOf(await top.wire.call(['INFO', 'replication']));
      if (info.get('role') === 'master') return top;
      top = await this.open(addressOf(top, { host: info.get('master_host') ?? '', port: info.get('master_port') ?? '' }));
    }
    throw new Problem(`${nameOf(found.address)} follows servers that follow each other.`);
  }

  private async findReplicas(found: Found, depth: number): Promise<void> {
    if (depth > DEPTH_MAX || !this.note(found, depth)) return;
    for (const [field, value] of infoOf(await found.wire.call(['INFO', 'replication']))) {
      if (!/^slave\d+$/.test(field)) continue;
      const [, host = '', port = ''] = /\bip=([^,]*),port=(\d+)/.exec(value) ?? [];
      await this.findReplicas(await this.open(addressOf(found, { host, port })), depth + 1);
    }
  }

  private async findCluster(found: Found): Promise<void> {
    for (const line of String(await found.wire.call(['CLUSTER', 'NODES'])).split('\n')) {
      const [, place = '', flagged = ''] = line.trim().split(' ');
      const flags = flagged.split(',');
      if (place === '' || flags.includes('handshake')) continue;
      const [where = '', hostname = ''] = place.split(',');
      const [endpoint = ''] = where.split('@');
      if (flags.includes('fail') || flags.includes('noaddr'))
        throw new Problem(`${endpoint} counts as failed in its cluster: mend it, or take it out by CLUSTER FORGET.`);
      const at = endpoint.lastIndexOf(':');
      const isByName = hostname !== '' && !hostname.includes('=') && found.address.startsWith('rediss:');
      const peer = { host: isByName ? hostname : endpoint.slice(0, at), port: endpoint.slice(at + 1) };
      const node = flags.includes('myself') ? found : await this.open(addressOf(found, peer));
      this.note(node, flags.includes('slave') ? 1 : 0);
    }
  }
}

/** The fields of a section of INFO. */
function infoOf(reply: unknown): Map<string, string> {
  const lines = String(reply).split('\r\n');
  return new Map(
    lines.flatMap((line) => (line.includes(':') ? [[line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]] : [])),
  );
}

/** The address of another server that one tells of, with the same user and protocol. */
function addressOf(teller: Found, { host, port }: Peer): string {
  const url = socketOf(teller.address) === undefined ? urlOf(teller.address) : new URL('redis://127.0.0.1');
  // What is loopback for that server is its machine.
  if (host !== '' && !LOOPBACK.test(host)) url.hostname = isIP(host) === 6 ? `[${host}]` : host;
  else if (LOOPBACK.test(url.hostname)) url.hostname = isIP(host) === 6 ? `[${host}]` : host || url.hostname;
  url.port = port;
  return url.href;
}
