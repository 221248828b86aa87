/** The module itself: its name, its settings, its fields of INFO. */
import { lengthOf, pointerOf } from "../base/frame";
import { redis } from "../base/redis";
import { bytesOf } from "./values/strings";
import { nameExpired } from "./transaction/sweep";
import { nameTriggers } from "./triggers";

class Declared {
  constructor(
    public name: string,
    public value: i64,
    public least: i64,
    public most: i64,
  ) {}
}

const settings: Declared[] = [];

let moduleName: string = "";

/** The name of the command that checks the module. */
export function checkName(): string {
  return moduleName + ".check";
}

/** Takes the module's name, while it starts. */
export function nameModule(name: string): void {
  moduleName = name;
  const event = bytesOf(name + ".expired");
  nameExpired(pointerOf(event), lengthOf(event));
  nameTriggers(name);
}

/** A whole number that operators set, `<module>.<name>` in wasm.settings; declared at module level. */
export class Setting {
  constructor(private handle: i32) {}

  /** Its present value. */
  get value(): i64 {
    return redis.GetSetting(this.handle);
  }
}

/** Declares a setting. */
export function setting(name: string, value: i64, least: i64, most: i64): Setting {
  settings.push(new Declared(name, value, least, most));
  return new Setting(settings.length - 1);
}

/** Tells the host of all settings. */
export function declareSettings(): void {
  for (let index = 0; index < settings.length; index++) {
    const one = settings[index];
    const name = bytesOf(one.name);
    redis.RegisterSetting(pointerOf(name), lengthOf(name), one.value, one.least, one.most, index);
  }
}
