/**
 * Installing packages of the system, where that can be done without asking: on Debian and its relatives, as
 * root.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { findOnPath, run, say } from './process.ts';

const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY_DENY_ALL = '#!/bin/sh\nexit 101\n';

export function canInstall(): boolean {
  return process.getuid?.() === 0 && findOnPath('apt-get') !== undefined;
}

/**
 * Installs Debian packages without starting the services in them.
 * @returns whether all of them are installed now
 */
export function install(packages: string[]): boolean {
  if (!canInstall()) return false;
  say(`system packages: apt-get install ${packages.join(' ')}`);
  // A package starts its service when it is installed unless this file, the distribution's own switch, says
  // no.
  const ownsPolicy = !existsSync(POLICY_FILE);
  if (ownsPolicy) writeFileSync(POLICY_FILE, POLICY_DENY_ALL, { mode: 0o755 });
  try {
    const environment = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    run('apt-get', ['update', '-qq'], { environment });
    return run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { environment }).status === 0;
  } finally {
    if (ownsPolicy) rmSync(POLICY_FILE, { force: true });
  }
}
