// SPDX-License-Identifier: Apache-2.0
/** AtomicOps of other I/O (PCIe Base Specification 3.0, section 6.15): which there are, their operands. */

/** Operands that the request of an AtomicOp carries, each as long as the answer. */
const OPERANDS = { "fetch-add": 1, swap: 1, cas: 2 } as const;

export type Atomic = keyof typeof OPERANDS;
/** What an operation of other I/O does. */
export type Operation = "read" | "write" | "readwrite" | Atomic;

export const operations: readonly Operation[] = ["read", "write", "readwrite", "fetch-add", "swap", "cas"];
/** Sizes of AtomicOps, bytes; CAS of 128 bits is left out. */
export const ATOMIC_BYTES: readonly number[] = [4, 8];

/** Whether an operation is an AtomicOp. */
export function isAtomic(op: Operation): op is Atomic {
  return op in OPERANDS;
}

/** Operands of an operation; 0 where it is none of these. */
export function operandsOf(op: Operation): number {
  return isAtomic(op) ? OPERANDS[op] : 0;
}
