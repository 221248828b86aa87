/** Where the kit's files are, in a clone and in the installed package. */
import path from 'node:path';
import { ROOT } from '../../bin/process.ts';

/** What authors import from. */
export const KIT = 'redis-wasm/kit';
/** The AssemblyScript that modules are compiled with. */
export const ASSEMBLY = path.join(ROOT, 'assembly');
/** What editors know of the language and the kit. */
export const TYPES = path.join(ROOT, 'kit/types');
/** The files of a new project. */
export const TEMPLATE = path.join(ROOT, 'kit/template');
