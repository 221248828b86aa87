/** The module `notes`, whose data the host looks after (test/fixtures/notes.as.ts). */
import { fixture } from './modules.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE } from './server.ts';

export const NOTES_FILE = await fixture('notes');
/** The host with the shipped modules and `notes`. */
export const WITH_NOTES = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, NOTES_FILE];
/** … and without. */
export const WITHOUT_NOTES = [HOST_FILE, HASHMAP_FILE, SESSION_FILE];
