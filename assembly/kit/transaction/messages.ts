/** What a command publishes when it is committed. */
import { redis } from "../../base/redis";
import { take } from "../memory/arena";


@unmanaged
class Message {
  channel: usize;
  channelLength: u32;
  text: usize;
  textLength: u32;
  next: Message;
}

let first: Message = changetype<Message>(0);
let last: Message = changetype<Message>(0);

/** Forgets all of them. */
// prettier-ignore
@inline
export function forgetMessages(): void {
  first = changetype<Message>(0);
}

/** Whether there are any. */
// prettier-ignore
@inline
export function hasMessages(): bool {
  return changetype<usize>(first) != 0;
}

/** Publishes a text, of bytes in the arena, at the commit. */
export function addMessage(channel: usize, channelLength: u32, text: usize, textLength: u32): void {
  const message = changetype<Message>(take(offsetof<Message>()));
  message.channel = channel;
  message.channelLength = channelLength;
  message.text = text;
  message.textLength = textLength;
  message.next = changetype<Message>(0);
  if (changetype<usize>(first)) last.next = message;
  else first = message;
  last = message;
}

/** Publishes them. */
export function commitMessages(): void {
  for (let at = first; changetype<usize>(at); at = at.next) redis.PublishMessage(at.channel, at.channelLength, at.text, at.textLength);
  first = changetype<Message>(0);
}
