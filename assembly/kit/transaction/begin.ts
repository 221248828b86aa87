/** The beginning of a command: what the one before has made and noted is gone. */
import { beginArena } from "../memory/arena";
import { Command, takeCommand } from "./command";
import { forgetExternal } from "./external";
import { forgetMessages } from "./messages";
import { forgetOrdered } from "./ordered";
import { forgetPending } from "./pending";
import { forgetReads } from "./reads";
import { forgetSizes } from "./sizes";
import { forgetAsked } from "./view";

/** Begins a command. */
export function beginCommand(command: Command, argc: i32, argv: usize): void {
  beginArena();
  forgetSizes();
  forgetExternal();
  forgetPending();
  forgetOrdered();
  forgetAsked();
  forgetMessages();
  if (isDefined(KIT_CHECK)) forgetReads();
  takeCommand(command, argc, argv);
}
