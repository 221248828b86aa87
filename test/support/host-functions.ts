/** What modules may import from the host, as `assembly/base/redis.ts` and `redis-keys.ts` declare it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');

export interface HostFunction {
  name: string;
  parameters: { name: string; type: string }[];
  result: string;
}

/** Every function of the namespace `redis`, or those that these files of `assembly/base/` declare. */
export function hostFunctions(...files: string[]): HostFunction[] {
  const names = files.length > 0 ? files : ['redis', 'redis-keys'];
  const source = names.map((name) => readFileSync(path.join(ROOT, 'assembly/base', `${name}.ts`), 'utf8')).join('');
  return [...source.matchAll(/export declare function (\w+)\(([^)]*)\): (\w+);/g)].map(([, name = '', parameters = '', result = '']) => ({
    name,
    parameters: parameters
      .split(',')
      .map((parameter) => parameter.trim().split(/:\s*/))
      .filter(([first]) => first !== '')
      .map(([first = '', type = '']) => ({ name: first, type })),
    result,
  }));
}
