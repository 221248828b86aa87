/** Random commands SESSION.*. */
import { command, id, key, value, type Weighted } from './arguments.ts';

export const sessionOperations = (): Weighted[] => [
  { weight: 70, arbitrary: command('SESSION.CREATE', key) },
  { weight: 40, arbitrary: command('SESSION.GET', id) },
  { weight: 10, arbitrary: command('SESSION.LIST') },
  { weight: 80, arbitrary: command('SESSION.ADD_DATA', id, key, value) },
  { weight: 50, arbitrary: command('SESSION.GET_DATA', id, key) },
  { weight: 30, arbitrary: command('SESSION.DELETE', id) },
];
