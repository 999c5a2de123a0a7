// SPDX-License-Identifier: Apache-2.0
// Packets of a transaction: how long they are and what they need. Bytes on the wire as in channel/pcie.ts.
import { BUSY, W_CREDIT_NPH, W_CREDIT_PD, W_CREDIT_PH, W_REPLAY } from "../abi";
import { ATOMIC, DOWN_COMPLETION, DOWN_POSTED, Entry, TWO_OPERANDS, UP_READ, UP_TRANSLATE } from "./port";
import { Way } from "./way";

/** Classes of transactions. */
export const POSTED: u32 = 0;
export const NON_POSTED: u32 = 1;
export const COMPLETION: u32 = 2;

/** BUSY when the next TLP of a transaction may go, else what it waits for. */
export function gate(w: Way, cls: u32, e: Entry): u32 {
  const n = dataBytes(w, cls, e);
  if (cls == POSTED) {
    if (w.ph < 1) return W_CREDIT_PH;
    if (w.pd < (n + 15) >> 4) return W_CREDIT_PD;
  } else if (cls == NON_POSTED && (w.nph < 1 || (n != 0 && w.npd < 1))) return W_CREDIT_NPH;
  return w.replay < wireBytes(w, cls, n) ? W_REPLAY : BUSY;
}

/** Data bytes of the next TLP: completions are cut at multiples of RCB or MPS, writes at multiples of MPS. */
// @ts-ignore: decorator
@inline
export function dataBytes(w: Way, cls: u32, e: Entry): u32 {
  if (cls == NON_POSTED) return (e.flags & ATOMIC) != 0 ? operandBytes(e) : 0;
  return cut(unitFor(w, cls, e), <u32>e.address + e.done, e.bytes - e.done);
}

/** At whose multiples the data of a transaction is cut. */
// @ts-ignore: decorator
@inline
export function unitFor(w: Way, cls: u32, e: Entry): u32 {
  return cls == COMPLETION && e.bytes <= w.combineAbove ? w.rcb : w.mps;
}

/** Data bytes up to the next multiple of `unit`, a power of two, of `left` from the address on. */
// @ts-ignore: decorator
@inline
export function cut(unit: u32, address: u32, left: u32): u32 {
  const room = unit - (address & (unit - 1));
  return left < room ? left : room;
}

/** Operands of an AtomicOp, which its request carries: each is as long as its answer. */
export function operandBytes(e: Entry): u32 {
  return (e.flags & TWO_OPERANDS) != 0 ? 2 * e.bytes : e.bytes;
}

/** Bytes on the wire of a TLP with n data bytes, which travel in words of four. */
// @ts-ignore: decorator
@inline
export function wireBytes(w: Way, cls: u32, n: u32): u32 {
  return (cls == COMPLETION ? w.completion : w.request) + ((n + w.pad) & ~w.pad);
}

/** Class of the transactions of a port. */
// @ts-ignore: decorator
@inline
export function classOf(index: u32): u32 {
  return index == DOWN_COMPLETION
    ? COMPLETION
    : (index >= UP_READ && index < DOWN_POSTED) || index == UP_TRANSLATE
      ? NON_POSTED
      : POSTED;
}
