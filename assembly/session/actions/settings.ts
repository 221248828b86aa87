/** The settings of this module: what sessions get that are created without the option. */
import { redis } from "../../base/redis";
import { setting } from "../../base/register";

/** `wasm.session-idle`: seconds, 0: no limit. */
export const IDLE_SETTING: i32 = 0;
/** `wasm.session-ttl`: seconds, 0: no limit. */
export const TTL_SETTING: i32 = 1;
/** `wasm.session-max`: live sessions of one user, 0: no limit. */
export const MAX_SETTING: i32 = 2;
/** A hundred years. */
const SECONDS_MAX: i64 = 3155760000;

/** Declares them. */
export function registerSettings(): void {
  setting(changetype<usize>("session-idle"), 0, 0, SECONDS_MAX, IDLE_SETTING);
  setting(changetype<usize>("session-ttl"), 0, 0, SECONDS_MAX, TTL_SETTING);
  setting(changetype<usize>("session-max"), 0, 0, <i64>u32.MAX_VALUE, MAX_SETTING);
}

/** What `wasm.session-max` says now. */
export function defaultMost(): u32 {
  return <u32>redis.GetNumericConfig(MAX_SETTING);
}
