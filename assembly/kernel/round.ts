// SPDX-License-Identifier: Apache-2.0
// Where rounds begin, and whose is next where a server has several guests (kernel/evacuation).
import { C_NET_WIRE_BYTES, GT_TRACKED, L_ROUNDS, RL_END, RL_NEW_DIRTY, RL_START } from "../abi";
import { COLLECT, COLLECTING, CHOOSE, ENDED, Frontend, RESUME, UNANSWERED, frontend } from "./driver";
import { endsAt } from "./ending";
import { chooseGuest, guestMoved, guestRound, guestsOpen } from "./evacuation";
import { arrives, firstBatch, ofGuest, several, turn } from "./guests";
import { note, noteRound, roundNote } from "./log";
import { Message } from "./message";
import { progress } from "./progress";
import { storing } from "./record-store";
import { counted } from "./stats";
import { beginFresh, freshPages } from "./tracker";

/** Wire bytes that the source had sent when the last round began. */
export let wireFrom: u64 = 0;

export function buildRounds(): void {
  wireFrom = 0;
}

/** The front-end begins a round: of all of memory, or of the guest whose turn it is. */
export function beginRound(f: Frontend, t: u64): void {
  // what became dirty while the tracker started is the first round's
  const first = several ? ofGuest(turn, GT_TRACKED) == 0 : f.round == 0 && !storing;
  if (!first) beginFresh();
  f.round++;
  f.flags |= COLLECTING;
  f.batch = several ? firstBatch(turn) : 0;
  f.left = 0;
  f.announced = 0;
  noteRound(f.round - 1, RL_START, t);
  if (several) guestRound(f.round - 1, t);
  // what went out between two rounds is of neither
  wireFrom = counted(0, C_NET_WIRE_BYTES);
  progress(0).roundWire = wireFrom;
  note(L_ROUNDS, f.round);
}

/** The books close: a round whose placement is not known is left with what has become dirty in it so far. */
export function leaveRound(): void {
  const round = frontend(0).round;
  if (round == 0 || roundNote(round - 1, RL_END) != 0) return;
  noteRound(round - 1, RL_NEW_DIRTY, freshPages());
}

/** The next guest's turn; when none is left and the last did not move, that is the end. */
export function nextTurn(f: Frontend, t: u64): void {
  if (guestsOpen() == 0) {
    f.next = ENDED;
    endsAt(t);
    return;
  }
  chooseGuest(f, false, t);
  if (f.next == COLLECT) beginRound(f, t);
}

/** The destination runs the guest: the end, or of several guests another's turn. */
export function moved(f: Frontend, t: u64): void {
  f.next = ENDED;
  if (!several) return;
  guestMoved(t);
  if (guestsOpen() == 0) return;
  f.next = CHOOSE;
  if ((f.flags & UNANSWERED) == 0) nextTurn(f, t);
}

/** The destination's card has all of the guest. */
export function toResume(f: Frontend, m: Message): void {
  f.next = RESUME;
  if (several) arrives(m.a, m.b != 0);
}
