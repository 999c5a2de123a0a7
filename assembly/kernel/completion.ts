// SPDX-License-Identifier: Apache-2.0
// Completion records of a card's DMA engines: which descriptors are done, and when a record is due.
//
// Models: a record of B bytes in a ring in host memory for every N descriptors of a batch that are done, and
//   one for what is left at its end, so that a batch of n has ceil(n / N) of them (checked when it ends). A
//   batch of reads is what the firmware posted together, in whatever order its pages arrive; a batch of
//   writes is the pages written in a round.
// In and out: the engines tell of each descriptor and put the records, behind the data: reads when the page's
//   last byte is there, writes behind the page's last write. They take wire, posted credits and IOMMU.
// Leaves out: what the driver does with them; firmware and front-end go by their own counts.
// Numbers: card preset `dma.completionEvery` (0: none), `dma.completionBytes` (16 assumed).
//
//   batch, 16 bytes: | descriptors u32 | done u32 | since the last record u32 | records u32 |
import { C_COMPLETIONS, I_CONSERVED, JOBS_MAX, S_COMPLETION_BYTES, S_COMPLETION_EVERY } from "../abi";
import { COMPLETIONS_AT } from "./address";
import { reserve } from "./memory";
import { p32 } from "./params";
import { put } from "./port";
import { broken, count } from "./stats";

/** Records of reads that may wait for the link, with those of pages under way. */
export const READ_RECORDS: u32 = 2048;
/** Bytes of the ring in host memory. */
const RING: u32 = 4096;


@unmanaged
class Completions {
  batches: usize; // a ring: each that is open has a job
  every: u32; // 0: no records
  bytes: u32;
  begun: u32; // batches of reads
  open: u32; // batches whose end has not come
  at: u32; // offset of the next record in its ring
  pad: u32;
}

const SIDES = memory.data(64, 16);
const DESCRIPTORS: usize = 0;
const DONE: usize = 4;
const SINCE: usize = 8;
const RECORDS: usize = 12;

if (offsetof<Completions>() > 32) ERROR("completions");

// @ts-ignore: decorator
@inline
function completions(side: u32): Completions {
  return changetype<Completions>(SIDES + (side << 5));
}

// @ts-ignore: decorator
@inline
function batchAt(side: u32, number: u32): usize {
  return completions(side).batches + ((number & (JOBS_MAX - 1)) << 4);
}

/** Lays out the batches of a side; false when memory does not hold them. */
export function buildCompletions(side: u32): bool {
  const c = completions(side);
  memory.fill(changetype<usize>(c), 0, 32);
  c.every = p32(side, S_COMPLETION_EVERY);
  c.bytes = p32(side, S_COMPLETION_BYTES);
  if (c.every != 0) c.batches = reserve(JOBS_MAX << 4);
  return c.every == 0 || c.batches != 0;
}

/** Whether a side's engines write records. */
// @ts-ignore: decorator
@inline
export function completing(side: u32): bool {
  return completions(side).every != 0;
}

/** A batch of n reads has been posted; its number is what descriptorDone() is told. */
export function batchBegun(side: u32, n: u32): u32 {
  const c = completions(side);
  const at = batchAt(side, c.begun);
  assert(load<u32>(at, DESCRIPTORS) == 0, "too many batches of descriptors");
  store<u32>(at, n, DESCRIPTORS);
  store<u32>(at, 0, DONE);
  store<u32>(at, 0, SINCE);
  store<u32>(at, 0, RECORDS);
  c.open++;
  return c.begun++;
}

/** A descriptor of a batch of reads is done at t; its record may go through `port` from `next` on. */
export function descriptorDone(side: u32, number: u32, port: u32, t: u64, next: u64): void {
  const at = batchAt(side, number);
  const last = load<u32>(at, DONE) + 1 == load<u32>(at, DESCRIPTORS);
  add(side, at, last, port, next);
  if (last) end(side, at, t);
}

/** A page of a round has been written; its record may go through `port` from `next` on. */
export function writeDone(side: u32, port: u32, next: u64): void {
  const at = batchAt(side, 0);
  if (load<u32>(at, DONE) == 0) completions(side).open++;
  add(side, at, false, port, next);
}

/** The pages of a round are all written: a record of those that none tells of yet. */
export function writesEnd(side: u32, port: u32, t: u64, next: u64): void {
  const at = batchAt(side, 0);
  if (load<u32>(at, DONE) == 0) return;
  if (load<u32>(at, SINCE) != 0) record(side, at, port, next);
  store<u32>(at, load<u32>(at, DONE), DESCRIPTORS);
  end(side, at, t);
}

/** Batches whose last record has not been put. */
export function completionsOpen(side: u32): u32 {
  return completions(side).open;
}

function add(side: u32, at: usize, last: bool, port: u32, next: u64): void {
  store<u32>(at, load<u32>(at, DONE) + 1, DONE);
  store<u32>(at, load<u32>(at, SINCE) + 1, SINCE);
  if (last || load<u32>(at, SINCE) == completions(side).every) record(side, at, port, next);
}

function record(side: u32, at: usize, port: u32, next: u64): void {
  const c = completions(side);
  store<u32>(at, 0, SINCE);
  store<u32>(at, load<u32>(at, RECORDS) + 1, RECORDS);
  put(side, port, COMPLETIONS_AT + c.at, c.bytes, 0, 0, next);
  c.at = (c.at + c.bytes) & (RING - 1);
  count(side, C_COMPLETIONS, 1);
}

/** A batch has ended with a record for every N descriptors and one for what was left. */
function end(side: u32, at: usize, t: u64): void {
  const c = completions(side);
  const due = (load<u32>(at, DESCRIPTORS) + c.every - 1) / c.every;
  if (load<u32>(at, RECORDS) != due) broken(I_CONSERVED, load<u32>(at, RECORDS), due, t);
  memory.fill(at, 0, 16);
  c.open--;
}
