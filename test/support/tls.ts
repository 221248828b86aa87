/** TLS for tests: certificates of a CA of their own, made by openssl, and what serves by them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { freePort, tested } from './server.ts';

/** Whether the server under test was built with TLS. */
export const hasTls = readFileSync(tested.file).includes('SSL_CTX_new');

/** Files in PEM; the certificate is of 127.0.0.1, signed by the CA. */
export interface Certificates {
  ca: string;
  cert: string;
  key: string;
}

/** Makes a CA and a certificate for the running test. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(path.join(tmpdir(), 'tls-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const openssl = (line: string) => execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'pipe' });
  const curve = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(`req -x509 ${curve} -keyout ca.key -out ca.crt -days 2 -subj /CN=ca`);
  openssl(`req ${curve} -keyout our.key -out our.csr -subj /CN=our`);
  writeFileSync(path.join(folder, 'names'), 'subjectAltName=IP:127.0.0.1');
  openssl('x509 -req -in our.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out our.crt -days 2 -extfile names');
  const [ca = '', cert = '', key = ''] = ['ca.crt', 'our.crt', 'our.key'].map((name) => path.join(folder, name));
  return { ca, cert, key };
}

/**
 * Serves by TLS, to those who show a certificate of the CA, what a server has on a plain port: its own port.
 */
export async function tlsProxy(port: number, { ca, cert, key }: Certificates, own?: number): Promise<number> {
  const listening = own ?? (await freePort());
  const options = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), requestCert: true };
  const proxy = createServer(options, (socket) => {
    const plain = connect(port, '127.0.0.1');
    socket.on('error', () => plain.destroy()).on('close', () => plain.destroy());
    plain.on('error', () => socket.destroy());
    socket.pipe(plain).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(listening, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.close();
  });
  return listening;
}
