/**
 * Ending a server in the foreground as the person before it wishes: saved, or, where it cannot save and they
 * insist, without.
 */
import type { ChildProcess } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * For so long a Ctrl-C counts once: npm passes on the one that the terminal has sent to all of its processes.
 */
const SAME_MS = 1000;
const REFUSAL = 'Errors trying to shut down the server';
/** Of the server's log: what stands before the line that it cannot end. */
const REASON = /[#*] ([^\n]*)\n[^\n]*can't exit/;

/**
 * Has the signals of this process end the server. The first one has it save and end. A server that cannot
 * save goes on, so that nothing is lost: that is told, and one more Ctrl-C has it try again, and ends it in
 * any case. While it saves, one more ends it at once, as it would end redis-server itself. SIGTERM and SIGHUP
 * never end it unsaved.
 * @param child - with its output piped
 * @returns whether it was asked to end
 */
export function endBySignals(child: ChildProcess): () => boolean {
  let isAsked = false;
  let mayInsist = false;
  let insisted = 0;
  let log = '';
  let refusal: string | undefined;

  const tell = () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    console.error(
      refusal === undefined
        ? '\nThe server still saves its data, or cannot: its log says which. Ctrl-C once more ends it with what was saved before.\n'
        : `\nThe server cannot save its data, and goes on so that they are not lost${refusal}\n` +
            'Ctrl-C once more has it try again, and ends it in any case.\n',
    );
  };
  const openInsisting = () => {
    mayInsist = true;
    tell();
  };
  const ask = (signal: NodeJS.Signals) => {
    const insists = isAsked && signal === 'SIGINT';
    if (insists && !mayInsist) return;
    if (insists) child.kill(insisted++ === 0 ? 'SIGINT' : 'SIGKILL');
    else child.kill('SIGTERM');
    if (isAsked && !insists) return;
    isAsked = true;
    mayInsist = false;
    setTimeout(openInsisting, SAME_MS).unref();
  };
  const follow = (chunk: string) => {
    if (!isAsked) return;
    log += chunk;
    if (!log.includes(REFUSAL)) return;
    const reason = REASON.exec(log)?.[1];
    refusal = reason === undefined ? '.' : `: ${reason}`;
    log = '';
    if (insisted > 0) child.kill('SIGKILL');
    else if (mayInsist) tell();
  };
  child.stdout?.setEncoding('utf8').on('data', follow);
  for (const signal of SIGNALS) process.on(signal, ask);
  process.once('exit', () => child.kill('SIGTERM'));
  return () => isAsked;
}
