// SPDX-License-Identifier: Apache-2.0
// Whose turn it is on a wire of a bus: classes in turn, requesters of a class in turn, and the packets of a
// transaction that has begun one after the other as long as they may go.
import { BUSY, STARVED } from "../abi";
import { filled, postedGone } from "./order";
import { COMPLETION, NON_POSTED, POSTED, classOf, gate } from "./packet";
import {
  DOWN_COMPLETION,
  DOWN_POSTED,
  REQUESTERS,
  UP_POSTED,
  UP_READ,
  UP_TRANSLATE,
  port,
  portHead,
} from "./port";
import { DOWN, UP, Way, collect } from "./way";

/** The ports of a direction, a bit each. */
// @ts-ignore: decorator
@inline
export function portsOf(dir: u32): u32 {
  return dir == UP ? 0x4ff : 0x300;
}

/** What choose() found: the port to send from plus one, 0 when nothing can go. */
export let chosen: u32 = 0;
/** True when choose() has passed over a TLP that lacks credits or replay buffer. */
let held: bool = false;

/** Finds the next TLP that may go at t; returns the accounting state when none may. */
export function choose(side: u32, dir: u32, w: Way, t: u64): u32 {
  chosen = 0;
  const mask = filled(side) & portsOf(dir);
  if (mask == 0) return STARVED;
  held = false;
  const only = (mask & (mask - 1)) == 0;
  const cause = only ? chooseOne(side, <u32>ctz<u32>(mask), w, t) : chooseAny(side, dir, w, t);
  if (!held) return cause;
  // a TLP whose turn it was lacks credits or replay buffer: have any come back?
  chosen = 0;
  collect(w, t);
  return only ? chooseOne(side, <u32>ctz<u32>(mask), w, t) : chooseAny(side, dir, w, t);
}

/** The usual case: one port alone has something, and nobody's turn matters. */
// @ts-ignore: decorator
@inline
function chooseOne(side: u32, index: u32, w: Way, t: u64): u32 {
  const e = portHead(port(side, index));
  if (e.ready > t) return STARVED;
  const why = gate(w, classOf(index), e);
  if (why == BUSY) chosen = index + 1;
  else held = true;
  return why;
}

function chooseAny(side: u32, dir: u32, w: Way, t: u64): u32 {
  let cause = STARVED;
  if (w.begun != 0) {
    // a transaction that has begun goes on, if its next packet may go
    const e = portHead(port(side, w.begun - 1));
    if (e.ready <= t) {
      if (gate(w, classOf(w.begun - 1), e) == BUSY) {
        chosen = w.begun;
        return BUSY;
      }
      held = true;
    }
  }
  for (let i: u32 = 0; i < 3; i++) {
    let cls = w.classNext + i;
    if (cls >= 3) cls -= 3;
    const why = chooseIn(side, dir, w, cls, t);
    if (chosen != 0) return BUSY;
    if (why != STARVED && (cause == STARVED || why < cause)) cause = why;
  }
  return cause;
}

function chooseIn(side: u32, dir: u32, w: Way, cls: u32, t: u64): u32 {
  if (dir == DOWN) {
    if (cls == NON_POSTED) return STARVED;
    const index = cls == POSTED ? DOWN_POSTED : DOWN_COMPLETION;
    const q = port(side, index);
    if (q.count == 0 || portHead(q).ready > t) return STARVED;
    const why = gate(w, cls, portHead(q));
    if (why == BUSY) chosen = index + 1;
    else held = true;
    return why;
  }
  if (cls == COMPLETION) return STARVED;
  let cause = STARVED;
  const first = cls == POSTED ? UP_POSTED : UP_READ;
  const some = filled(side) & ((15 << first) | (cls == NON_POSTED ? 1 << UP_TRANSLATE : 0));
  if (some == 0) return STARVED;
  if (some >> UP_TRANSLATE != 0) {
    // others wait for a translation: its request goes before their reads
    const e = portHead(port(side, UP_TRANSLATE));
    if (e.ready <= t) {
      cause = gate(w, cls, e);
      if (cause == BUSY) {
        chosen = UP_TRANSLATE + 1;
        return BUSY;
      }
      held = true;
    }
  }
  const turn = w.readNext;
  for (let i: u32 = 0; i < REQUESTERS; i++) {
    let r = turn + i;
    if (r >= REQUESTERS) r -= REQUESTERS;
    const q = port(side, first + r);
    if (q.count == 0) continue;
    const e = portHead(q);
    // writes keep their order, a read does not pass a write that was put before it
    if (e.ready > t || <i32>(e.after - postedGone(side)) > 0) continue;
    const why = gate(w, cls, e);
    if (why == BUSY) {
      chosen = first + r + 1;
      return BUSY;
    }
    held = true;
    if (cause == STARVED || why < cause) cause = why;
  }
  return cause;
}
