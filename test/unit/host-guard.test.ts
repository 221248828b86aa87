/**
 * What the server calls in the host: a panic in it ends at a guard and does not reach the server, which it
 * would end.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const SOURCES = path.resolve(import.meta.dirname, '../../host/src');
/** These hand over one number, set one flag, or call one that is guarded: nothing in them can panic. */
const PLAIN = ['get_text', 'get_numeric', 'set_numeric', 'get_enum', 'set_enum', 'drop_answer', 'bytes', 'reset', 'compile_text'];
/** Their callers do nothing else. */
const GUARDED_INSIDE = ['save_kits_or_fail', 'answering', 'answer_command', 'on_event'];

/**
 * Functions by name with their bodies: those that the server calls, and what they may leave the guarding to.
 */
function functions(pattern: RegExp): { name: string; body: string }[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs'));
  return files.flatMap((file) => {
    const text = readFileSync(path.join(SOURCES, file), 'utf8');
    return [...text.matchAll(pattern)].map((match) => ({
      name: match[1]!,
      body: text.slice(match.index, text.indexOf('\n}\n', match.index)),
    }));
  });
}

test('every function that the server calls is guarded', () => {
  const called = functions(/^(?:pub )?unsafe extern "C" fn (\w+)/gm);
  expect(called.length).toBeGreaterThanOrEqual(18);
  const guarded = functions(new RegExp(`^(?:pub )?(?:unsafe )?fn (${GUARDED_INSIDE.join('|')})\\b`, 'gm'));
  expect(guarded.map(({ body }) => /\b(?:guarded|answering)\(/.test(body))).toEqual(GUARDED_INSIDE.map(() => true));
  const open = called.filter(({ body }) => ['guarded', ...GUARDED_INSIDE].every((guard) => !body.includes(`${guard}(`)));
  expect(open.map(({ name }) => name).sort()).toEqual([...PLAIN].sort());
});
