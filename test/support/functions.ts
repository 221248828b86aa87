/** Libraries of functions for tests, as Valkey's FUNCTION LOAD and EVAL take them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { kitOf } from './kit.ts';
import { ROOT, tested } from './server.ts';

/** Whether the server under test has scripting engines. */
export const hasEngines = tested.name === 'Valkey';

/** The bytes of a file, as RawConnection takes them. */
export const bytesOf = (file: string): string => readFileSync(file, 'latin1');

/** A code of FUNCTION LOAD: the first line, and what is below. */
export const library = (name: string, content: string): string => `#!wasm name=${name}\n${content}`;

/** The file of an author's text. */
export const built = async (name: string, text: string): Promise<string> => bytesOf(await kitOf(name, text, [0]));

/** The file of the fixture `calc`. */
export const calcFile = (): Promise<string> => built('calc', readFileSync(path.join(ROOT, 'test/fixtures/kit/calc.ts'), 'utf8'));

/** The same, as a code of FUNCTION LOAD of this name. */
export const calc = async (name = 'calc'): Promise<string> => library(name, await calcFile());

export const base64 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('base64');
