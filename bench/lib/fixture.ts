/**
 * A module out of test/fixtures/, compiled.
 * The compiler is loaded when it is first needed: that takes longer than all else at a start.
 */
export async function fixture(name: string): Promise<string> {
  const modules = await import('../../test/support/modules.ts');
  return modules.fixture(name);
}

/** The word of `wasm.trusted` that names this file: what shares a memory with others needs one. */
export async function trusted(file: string): Promise<string> {
  const words = await import('../../test/support/trusted.ts');
  return words.trustedWord(file).join();
}

/** Modules of the kit, compiled as authors' files are: absolute files in, absolute files out. */
export async function kitModules(files: string[]): Promise<string[]> {
  const { buildKit } = await import('../../test/support/kit.ts');
  return buildKit(files);
}
