/** The load of most measures: connections, commands that each sends at a time, and the length of a value. */
export const CONNECTIONS = 50;
export const PIPELINE = 64;
export const VALUE_BYTES = 32;

/** Lengths of an id and of the reply +OK. */
export const ID_BYTES = 36;
export const OK_BYTES = '+OK\r\n'.length;
