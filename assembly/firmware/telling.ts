// SPDX-License-Identifier: Apache-2.0
// How the firmware tells: its peer in records that it makes itself, the front-end in messages.
import { MESSAGE_SLOTS, Q_OWN, Q_TO_HOST } from "../abi";
import { push, queue } from "../kernel/fifo";
import { toldToResume } from "../kernel/guests";
import { CARRIED, job, takeJob } from "../kernel/jobs";
import { Message, NO_MESSAGE, TO_HOST, message, takeMessage } from "../kernel/message";
import { sizedByWord } from "../kernel/pages";
import { edgeAt } from "../kernel/time";

/** What a card-clocked unit may see at the earliest of something decided at t. */
// @ts-ignore: decorator
@inline
export function next(side: u32, t: u64): u64 {
  return edgeAt(side * 2, t + 1);
}

/** A record that the firmware makes itself. */
export function own(side: u32, kind: u32, word: u32, round: u32, flags: u32, t: u64): void {
  const index = takeJob(side, kind);
  const j = job(side, index);
  j.pfn = word;
  j.round = round;
  j.version = round;
  j.flags = flags | (sizedByWord() ? 0 : CARRIED);
  push(queue(side, Q_OWN), index, next(side, t));
}

/** Begins a message to the front-end; NO_MESSAGE when the host offers no buffer now. */
export function tell(side: u32, kind: u32, bytes: u32, at: u64): Message {
  const slot = takeMessage(side, TO_HOST, kind);
  if (slot == MESSAGE_SLOTS) return NO_MESSAGE;
  const m = message(side, TO_HOST, slot);
  m.bytes = bytes;
  push(queue(side, Q_TO_HOST), slot, at);
  return m;
}

/** Of several guests the one that the end of a round tells of (kernel/evacuation). */
export function guestOf(round: u32): u32 {
  return ((round >> 16) & 0xff) - 1;
}

/** A guest is to be resumed, what comes next is another's: the flags of its last round, which are over. */
export function resumeOneOf(m: Message, round: u32, flags: u32): u32 {
  m.a = guestOf(round);
  m.b = round >> 24;
  toldToResume();
  return flags;
}
