// SPDX-License-Identifier: Apache-2.0
/** What one direction of a PCIe link is made of: docs/model.md sections 2 and 15. */
import * as abi from "../../../assembly/abi.ts";
import type { Translation } from "./ats.ts";
import type { Packet, Put } from "./packets.ts";
import { mixed } from "./root.ts";

export const UP = 0;
export const DOWN = 1;
export const POSTED = 0;
const SPOILT_UNIT = 2 ** 16;

/** A transaction in its port. */
export interface Entry extends Put {
  /** Place in the order of all puts. */
  order: number;
  requester: number;
  sentBytes: number;
  /** Of a translation request, and of its answer. */
  translation?: Translation | undefined;
}

/** Something freed by a receiver, or something on its way back to a transmitter. */
export interface Amount {
  at: number;
  replay: number;
  ph: number;
  pd: number;
  nph: number;
  npd: number;
  /** A packet is asked for once more. */
  nak?: boolean;
}

export const nothingAt = (at: number): Amount => ({ at, replay: 0, ph: 0, pd: 0, nph: 0, npd: 0 });

export interface Wire {
  ticksPerByte: number;
  freeAt: number;
  skpAt: number;
  classNext: number;
  readNext: number;
  ports: Map<number, Entry[]>;
  /** What the transmitter may still take. */
  room: Omit<Amount, "at" | "nak">;
  /** Returns that have not had their effect yet, in order. */
  returns: Amount[];
  /** What the receiver of this wire owes: the other wire carries it. */
  unacknowledged: { at: number; bytes: number }[];
  freedPosted: Amount[];
  freedNonPosted: Amount[];
  /** When the receiver found a packet spoilt whose NAK has not been sent. */
  spoiltAt: number;
  /** The port whose packet was spoilt and has not been sent again; null when there is none. */
  again: number | null;
  /** The NAK of that packet has not come back. */
  unheard: boolean;
  /** Tells of each packet in turn whether it arrives spoilt. */
  isSpoilt: (bytes: number) => boolean;
  packets: Packet[];
}

/**
 * The n-th packet of a wire arrives spoilt when mix(mix(seed, 2 side + wire), n) is below its bytes times the
 * probability of a byte, of 2^32.
 */
export function spoiler(p: readonly number[], side: number, which: number): (bytes: number) => boolean {
  const ofByte = p[abi.S_PCIE_ERRORS]!;
  const seed = mixed(p[abi.S_MEM_SEED]!, 2 * side + which);
  let n = 0;
  return (bytes) => ofByte > 0 && mixed(seed, n++) < Math.floor((bytes * ofByte) / SPOILT_UNIT);
}

/** Nothing is sent from the fault on, for its time. */
export function downUntil(p: readonly number[], t: number): number {
  const [from, duration] = [p[abi.S_PCIE_DOWN_AT]!, p[abi.S_PCIE_DOWN_FOR]!];
  return t >= from && t < from + duration ? from + duration : t;
}

/** The card clock's edge n clocks after the first one at t or later: edge k lies at ceil(k num / den). */
export function clocksAfter(p: readonly number[], t: number, n: number): number {
  const num = p[abi.S_CARD_NUM]!;
  const den = p[abi.S_CARD_DEN]!;
  const edge = (k: number): number => Math.ceil((k * num) / den);
  const before = Math.floor((t * den) / num);
  return edge(before + (edge(before) < t ? 1 : 0) + n);
}
