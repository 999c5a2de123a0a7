// SPDX-License-Identifier: Apache-2.0
// What a stage of a page takes a core of a host, or an engine beside its CPU, in ticks.
//
// How long: a core job + ceil(n x perKiB / 1024) cycles; of AES-GCM n is 16 bytes of header and the payload,
//   of decoding the 4096 bytes that come out. A core that submits a page to an engine job cycles. A cipher of
//   b bits a clock has a record of n bytes for ceil(128 / b) + ceil(8 n / b) + 1 words of so many clocks, and
//   what it rests; its tag comes so many clocks later. A decoder has a page for 4096 bytes at its rate.
// Numbers: host preset `stages.*`, cipher and compressor presets.
import {
  G_CIPHER_LATENCY,
  G_UNLZ_DEN,
  G_UNLZ_NUM,
  PAGE_BYTES,
  RECORD_HEADER_BYTES,
  S_HOST_CIPHER_BITS,
  S_HOST_CIPHER_DEN,
  S_HOST_CIPHER_NUM,
  S_HOST_CIPHER_REST,
  S_HOST_CIPHER_WORD,
  S_HOST_CPU_DEN,
  S_HOST_CPU_NUM,
  S_HOST_GCM,
  S_HOST_JOB,
} from "../abi";
import { g, g32, p, p32 } from "./params";
import { spanTicks } from "./time";

function ticksOf(side: u32, cycles: u32): u64 {
  return spanTicks(cycles, p(side, S_HOST_CPU_NUM), p(side, S_HOST_CPU_DEN));
}

/** Of a core: a stage that has so many bytes to do, at the cost of a KiB that stands at `perKib`. */
export function coreTicks(side: u32, bytes: u32, perKib: u32): u64 {
  return ticksOf(side, p32(side, S_HOST_JOB) + (bytes * p32(side, perKib) + 1023) / 1024);
}

/** Of a core: a page submitted to an engine. */
export function submitTicks(side: u32): u64 {
  return ticksOf(side, p32(side, S_HOST_JOB));
}

/** Of a core: a record of so many bytes of payload, sealed or opened. */
export function gcmTicks(side: u32, bytes: u32): u64 {
  return coreTicks(side, RECORD_HEADER_BYTES + bytes, S_HOST_GCM);
}

/** Of a cipher beside the CPU: the same. */
export function cipherTicks(side: u32, bytes: u32): u64 {
  const b = p32(side, S_HOST_CIPHER_BITS);
  const words = (8 * RECORD_HEADER_BYTES + b - 1) / b + (8 * bytes + b - 1) / b + 1;
  const clocks = words * p32(side, S_HOST_CIPHER_WORD) + p32(side, S_HOST_CIPHER_REST);
  return spanTicks(clocks, p(side, S_HOST_CIPHER_NUM), p(side, S_HOST_CIPHER_DEN));
}

/** From the end of a record in it until its tag is known. */
export function tagTicks(side: u32): u64 {
  const clocks = g32(G_CIPHER_LATENCY + side);
  return spanTicks(clocks, p(side, S_HOST_CIPHER_NUM), p(side, S_HOST_CIPHER_DEN));
}

/** Of a decoder beside the CPU: a page. */
export function decoderTicks(): u64 {
  return spanTicks(PAGE_BYTES, g(G_UNLZ_NUM), g(G_UNLZ_DEN));
}
