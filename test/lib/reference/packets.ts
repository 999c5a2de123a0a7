// SPDX-License-Identifier: Apache-2.0
/** Transactions and packets of the PCIe link, and how long packets are: docs/model.md section 2. */
import * as abi from "../../../assembly/abi.ts";
import type { Translation } from "./ats.ts";

/** A transaction put into a port: 0-3 posted up, 4-7 reads up, 8 posted down. 9 is predicted. */
export interface Put {
  port: number;
  bytes: number;
  address: number;
  readyAt: number;
}

/** One packet on a wire. `kind` is a `T_` constant. `port` is 0 for DLLPs and SKPs. */
export interface Packet {
  kind: number;
  startAt: number;
  port: number;
  /** Bytes on the wire of a TLP, 0-2 (ACK, UpdateFC-P, UpdateFC-NP) of a DLLP, ticks of an SKP. */
  what: number;
  /** Data bytes of a TLP; of a DLLP the bytes acknowledged or the headers. */
  amount: number;
  /** PD credits of an UpdateFC-P, else 0. */
  units: number;
}

export interface Answer {
  requester: number;
  at: number;
  bytes: number;
}

/** What requesters are told of; `order` is that of the put. */
export interface Hooks {
  answered(answer: Answer, order: number): void;
  landed(order: number, at: number): void;
}

/** What the link must do. */
export interface PcieRun {
  /** Packets by wire (0 up, 1 down), in order of their start. */
  wires: [Packet[], Packet[]];
  /** Entries of the completion port: `readyAt` is when memory has the data. */
  completions: Put[];
  answers: Answer[];
}

/** A transaction in a port. */
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
}

/** A direction of a link. */
export interface Wire {
  ticksPerByte: number;
  freeAt: number;
  skpAt: number;
  classNext: number;
  readNext: number;
  ports: Map<number, Entry[]>;
  /** What the transmitter may still take. */
  room: Omit<Amount, "at">;
  /** Returns that have not had their effect yet, in order. */
  returns: Amount[];
  /** What the receiver of this wire owes: the other wire carries it. */
  unacknowledged: { at: number; bytes: number }[];
  freedPosted: Amount[];
  freedNonPosted: Amount[];
  packets: Packet[];
}

/** Bytes on the wire: 24 + 4 ceil(n/4) a write, 24 a read request, 20 + 4 ceil(n/4) a completion. */
export function tlpBytes(kind: "write" | "read" | "completion", dataBytes: number, word = 4): number {
  if (kind === "read") return 24;
  return (kind === "write" ? 24 : 20) + word * Math.ceil(dataBytes / word);
}

/** Length of the next packet of a completion that has `sent` of its bytes behind it. */
export function completionPiece(p: readonly number[], address: number, bytes: number, sent: number): number {
  const unit = bytes > p[abi.S_PCIE_COMBINE_ABOVE]! ? p[abi.S_PCIE_MPS]! : p[abi.S_PCIE_RCB]!;
  return Math.min(bytes - sent, unit - ((address + sent) % unit));
}
