// SPDX-License-Identifier: Apache-2.0
// Firmware of a source's card that makes records before the migration is asked for (kernel/record-store).
//
// A batch for the store goes to the scanner as one of a round does, and its pages through descriptors,
// engines and the handler of page records, which gives them nonces of the store; the framer writes them to
// it. Looked through -> STORED to the front-end. START -> no page is begun any more. In the first round a
// page whose record goes as it is takes the handler of page records alone.
// How long: a message costs `interrupt` cycles, as any does.
import { M_STORED } from "../abi";
import { Job, FROM_STORE, TO_STORE } from "../kernel/jobs";
import { NO_MESSAGE } from "../kernel/message";
import { giveNumber } from "../kernel/record";
import { giveNonce, storeAsked, storeTells, storeTold } from "../kernel/record-store";
import { next, tell } from "./telling";

/** Numbers a record that a side is about to send, or to store. */
export function numberRecord(side: u32, j: Job): void {
  if ((j.flags & TO_STORE) != 0) giveNonce(j);
  else if ((j.flags & FROM_STORE) == 0) giveNumber(side, j);
}

/** The migration is asked for. */
export function onRequest(t: u64): void {
  storeAsked(next(0, t));
}

/** Tells the front-end as soon as it has a buffer. */
export function pollStoring(t: u64): void {
  while (storeTells()) {
    const m = tell(0, M_STORED, 16, next(0, t));
    if (m == NO_MESSAGE) return;
    m.a = <u32>storeTold();
  }
}
