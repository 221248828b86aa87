/** What is sent to the compiler's process, and what comes back. */

export interface Job {
  /** that paths are relative to, absolute */
  folder: string;
  /** texts by absolute paths */
  files: Record<string, string>;
  /** as `asc` takes them, entries included */
  options: string[];
  /** the folder with the kit's AssemblyScript */
  library: string;
}

export interface Diagnostic {
  message: string;
  /** relative to the folder; undefined: it is of no file */
  file?: string;
  /** the place in its text */
  start: number;
}

export interface Outcome {
  /** undefined: there are errors */
  wasm?: Uint8Array;
  diagnostics: Diagnostic[];
}
