// SPDX-License-Identifier: Apache-2.0
// The record that carries a page, a chunk of device state or a control word over a data link:
//
//   header, 16 bytes: | page number or offset u32 | sequence u32 | payload bytes u16 | codec u8 | kind u8 |
//   version u32 | then the payload, then a tag of 16 bytes when it is sealed. The header is the additional
//   data of the seal.
import { JOBS_MAX, PAGE_BYTES, RECORD_TAG_BYTES } from "../abi";
import { CODED, Job } from "./jobs";
import { reserve } from "./memory";

const HEADER = memory.data(16, 16);
const TAGS = memory.data(8, 8);

/** Lays out the tags of the jobs of a side. */
export function buildRecords(side: u32): void {
  store<u32>(TAGS + (side << 2), <u32>reserve(<u64>JOBS_MAX * RECORD_TAG_BYTES));
}

/** Address of the tag of a job's record. */
// @ts-ignore: decorator
@inline
export function tagAt(side: u32, index: u32): usize {
  return <usize>load<u32>(TAGS + (side << 2)) + <usize>index * RECORD_TAG_BYTES;
}

/** Writes the header of a job's record to a scratch place and returns its address. */
export function writeHeader(j: Job): usize {
  store<u32>(HEADER, j.pfn);
  store<u32>(HEADER, <u32>j.nonce, 4);
  store<u16>(HEADER, <u16>(j.bytes & (PAGE_BYTES * 2 - 1)), 8);
  store<u8>(HEADER, (j.flags & CODED) != 0 ? <u8>1 : <u8>0, 10);
  store<u8>(HEADER, <u8>j.kind, 11);
  store<u32>(HEADER, j.version, 12);
  return HEADER;
}
