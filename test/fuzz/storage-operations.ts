/** Random commands CUSTOM.*. */
import { command, key, value, type Weighted } from './arguments.ts';

export const storageOperations = (): Weighted[] => [
  { weight: 50, arbitrary: command('CUSTOM.SET', key, value) },
  { weight: 30, arbitrary: command('CUSTOM.GET', key) },
  { weight: 30, arbitrary: command('CUSTOM.DEL', key) },
  { weight: 15, arbitrary: command('CUSTOM.EXISTS', key) },
  { weight: 10, arbitrary: command('CUSTOM.KEYS') },
];
