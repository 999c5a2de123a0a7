// SPDX-License-Identifier: Apache-2.0
// What goes wrong on a card, as its firmware hears of it: the first reason stands until it has been told of.
// After the books of a migration that failed have closed, the link is closed: what is on it then, and what is
// still to go on it, is written off by name (docs/model.md section 17).
import { G_CORRUPT_AT, G_CORRUPT_RECORDS, U_CONTROL } from "../abi";
import { g, g32 } from "./params";
import { wake } from "./schedule";

// reason of each side, a word each: 0 when there is none
const REASON = memory.data(8, 8);

/** True when a card has a reason that nobody has been told of. */
export let troubled: bool = false;
/** True when nothing goes over the link any more. */
export let linkClosed: bool = false;
/** From when on the next page record is spoilt on the link. */
export let spoilsFrom: u64 = 0;
let spoilsLeft: u32 = 0;
/** Records that met a closed link, or a card without an engine to seal them. */
export let recordsDropped: u32 = 0;

export function buildTrouble(): void {
  store<u64>(REASON, 0);
  troubled = false;
  linkClosed = false;
  recordsDropped = 0;
  spoilsFrom = g(G_CORRUPT_AT);
  spoilsLeft = g32(G_CORRUPT_RECORDS);
}

/** Something is wrong on a side's card at t: its firmware is told, unless it knows of something before. */
export function report(side: u32, reason: u32, t: u64): void {
  if (load<u32>(REASON + (side << 2)) != 0) return;
  store<u32>(REASON + (side << 2), reason);
  troubled = true;
  wake(side, U_CONTROL, t);
}

/** The reason of a side, 0 when there is none. */
export function troubleOf(side: u32): u32 {
  return load<u32>(REASON + (side << 2));
}

/** The firmware has told of it. */
export function troubleTold(side: u32): void {
  store<u32>(REASON + (side << 2), 0);
  troubled = load<u64>(REASON) != 0;
}

/** A record has been spoilt, the last of so many or not. */
export function spoiltOne(): void {
  if (--spoilsLeft == 0) spoilsFrom = u64.MAX_VALUE;
}

export function closeLink(): void {
  linkClosed = true;
}

/** A record meets a closed link. */
export function recordDropped(): void {
  recordsDropped++;
}
