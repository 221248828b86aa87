/**
 * What the client makes of replies of several elements in which one is an error: it throws, where node-redis
 * answers it among the others.
 */
import { SimpleError } from '@redis/client';
import { describe, expect, it } from 'vitest';
import { custom, session } from '../../client/index.ts';

const error = new SimpleError('ERR it ran longer than wasm.time-limit');
type Transform = (reply: unknown, preserve?: unknown, typeMapping?: unknown) => unknown;
const transform = (command: object): Transform => (command as { transformReply: Transform }).transformReply;

describe('an error among the elements', () => {
  it.each<[string, object, unknown]>([
    ['custom.keys', custom.keys, ['a', error]],
    ['custom.mGet', custom.mGet, ['a', null, error]],
    ['custom.scan', custom.scan, ['0', ['a', error]]],
    ['session.list', session.list, ['ID: a, Key: b, Created: 2026-01-02T03:04:05.678Z', error]],
    ['session.scan', session.scan, ['0', ['a', error]]],
    ['session.user', session.user, ['a', error]],
    ['session.getAll', session.getAll, ['field', error]],
    ['session.getAll as a Map', session.getAll, new Map<unknown, unknown>([['field', error]])],
    ['session.getAll as an object', session.getAll, { field: error }],
    ['session.info', session.info, ['id', 'a', 'user_key', error]],
  ])('is thrown by %s', (_, command, reply) => {
    expect(() => transform(command)(reply)).toThrow(error);
  });

  it('is not seen where there is none', () => {
    expect(transform(custom.keys)(['a', 'Error'])).toEqual(['a', 'Error']);
    expect(transform(custom.mGet)([null, 'a'])).toEqual([null, 'a']);
    expect(transform(custom.scan)(['7', []])).toEqual({ cursor: '7', keys: [] });
    expect(transform(session.getAll)(null)).toBeNull();
    expect(transform(session.getAll)(['field', 'value'])).toEqual({ field: 'value' });
  });
});
