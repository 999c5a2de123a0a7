// SPDX-License-Identifier: Apache-2.0
// The encoder of a run: the window encoder (lz4hw), or liblz4's where an engine is known by its rate alone.
//
// Leaves out: deflate and Zstandard. Where an engine has such a format, pages' sizes are the harness's and
//   their bytes are not carried; pieces of device state, which are, have the sizes that liblz4 gives.
import { ENCODER_WINDOW } from "../abi";
import { lz4Compress } from "./lz4";
import { lz4hwCompress, lz4hwCycles } from "./lz4hw";

let windowed: bool = true;
let bailMargin: u32 = 0;

/** Sets the encoder; the window encoder's own configuration is `lz4hwConfigure`. */
export function setEncoder(encoder: u32, bailMarginBytes: u32): void {
  windowed = encoder == ENCODER_WINDOW;
  bailMargin = bailMarginBytes;
}

/** Encodes a job; returns the bytes, 0 when it stays raw or does not fit into `cap`. */
export function encodeJob(from: usize, len: u32, dst: usize, cap: u32): u32 {
  if (windowed) return lz4hwCompress(from, len, dst, cap);
  const size = lz4Compress(from, len, dst, cap);
  return size + bailMargin > len ? 0 : size;
}

/** What the last job takes an engine for: clocks of the window encoder, else the bytes it takes in. */
export function encodeSpan(len: u32): u32 {
  return windowed ? lz4hwCycles() : len;
}
