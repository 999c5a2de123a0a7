// SPDX-License-Identifier: Apache-2.0
/** Transactions and packets of the PCIe link, and how long packets are: docs/model.md section 2. */
import * as abi from "../../../assembly/abi.ts";

/** A transaction put into a port: 0-3 posted up, 4-7 reads up, 8 posted down. 9 is predicted. */
export interface Put {
  port: number;
  bytes: number;
  address: number;
  readyAt: number;
  /** Of one that uses the ports of others; else the port tells. */
  requester?: number;
  /** Bytes of operands of an AtomicOp: 8 of a Swap of 64 bits. */
  operandBytes?: number;
}

/** One packet on a wire. `kind` is a `T_` constant. `port` is 0 for DLLPs and SKPs. */
export interface Packet {
  kind: number;
  startAt: number;
  port: number;
  /** Bytes on the wire of a TLP, 0-3 (ACK, UpdateFC-P, UpdateFC-NP, NAK) of a DLLP, ticks of an SKP. */
  what: number;
  /** Data bytes of a TLP, 0 of one that arrives spoilt; of a DLLP the bytes acknowledged or the headers. */
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
  /** When memory has the data of a scanner's requests, in the order of these. */
  scanned: number[];
  answers: Answer[];
}

/**
 * Bytes on the wire of a packet with so many of data: 24 + 4 ceil(n/4) a write, 24 a read request, 24 + n an
 * AtomicOp with n bytes of operands, 20 + 4 ceil(n/4) a completion; 4 more with an end-to-end CRC, n itself
 * in pcie-bench's model.
 */
export function tlpBytes(
  p: readonly number[],
  kind: "write" | "read" | "atomic" | "completion",
  dataBytes: number,
): number {
  if (kind === "read") return p[abi.S_PCIE_REQUEST_BYTES]!;
  if (kind === "atomic") return p[abi.S_PCIE_REQUEST_BYTES]! + dataBytes;
  const word = p[abi.S_PCIE_UNPADDED] === 1 ? 1 : 4;
  const header = p[kind === "write" ? abi.S_PCIE_REQUEST_BYTES : abi.S_PCIE_COMPLETION_BYTES]!;
  return header + word * Math.ceil(dataBytes / word);
}

/** Length of the next packet of a completion that has `sent` of its bytes behind it. */
export function completionPiece(p: readonly number[], address: number, bytes: number, sent: number): number {
  const unit = bytes > p[abi.S_PCIE_COMBINE_ABOVE]! ? p[abi.S_PCIE_MPS]! : p[abi.S_PCIE_RCB]!;
  return Math.min(bytes - sent, unit - ((address + sent) % unit));
}
