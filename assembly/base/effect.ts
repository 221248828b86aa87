/**
 * An effect that `<module>.apply` applies: `<format> <operation> …`, all numbers of it in decimal text. What
 * another version of the module wrote, or nothing sound, ends with an error and changes nothing.
 */
import { argument, argumentLength, argumentsFrom } from "./frame";
import { parsed, parseInteger } from "./parse";
import { appendEcho, appendText, failLine, isText, line } from "./text";


@unmanaged
export class Effect {
  /** Its arguments: `count` byte strings at `argv`. */
  count: u32;
  argv: usize;
  /** Name of the command, a literal. */
  private command: usize;

  /**
   * Takes the arguments of the command of this name, a literal. Errors: `ERR <command>: unknown format <n>`.
   */
  take(argc: i32, argv: usize, command: usize): void {
    this.count = <u32>argc;
    this.argv = argv;
    this.command = command;
    if (isText(this.at(0), this.lengthAt(0), changetype<usize>("1"))) return;
    line(changetype<usize>("ERR "));
    appendText(command);
    appendText(changetype<usize>(": unknown format "));
    appendEcho(this.at(0), this.lengthAt(0));
    failLine();
  }

  /** Pointer of argument `index`. */
  @inline
  at(index: u32): usize {
    return argument(this.argv, index);
  }

  /** Length in bytes of argument `index`. */
  @inline
  lengthAt(index: u32): u32 {
    return argumentLength(this.argv, index);
  }

  /** The arguments from number `index` on. */
  @inline
  from(index: u32): usize {
    return argumentsFrom(this.argv, index);
  }

  /** Whether its operation has this name, a literal. */
  is(operation: usize): bool {
    return isText(this.at(1), this.lengthAt(1), operation);
  }

  /** The number, 0 to `most`, that argument `index` spells. Errors: as fail. */
  number(index: u32, most: i64): i64 {
    this.expect(parseInteger(this.at(index), this.lengthAt(index)) && parsed >= 0 && parsed <= most);
    return parsed;
  }

  /** The flag, 0 or 1, that argument `index` spells. Errors: as fail. */
  flag(index: u32): bool {
    return this.number(index, 1) == 1;
  }

  /** Ends the command unless this is so. Errors: as fail. */
  @inline
  expect(sound: bool): void {
    if (!sound) this.fail();
  }

  /** Ends the command: `ERR <command>: not an effect that this version knows`. */
  fail(): void {
    line(changetype<usize>("ERR "));
    appendText(this.command);
    appendText(changetype<usize>(": not an effect that this version knows"));
    failLine();
  }
}
