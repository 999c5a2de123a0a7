// SPDX-License-Identifier: Apache-2.0
// Where things lie in the address space of the card's bus master: guest memory from 0, then what the driver
// has allocated, above any guest.

/** Rings and messages of VSOCK, a page that is used again and again. */
export const VSOCK_AT: u64 = 0x4000_0000_0000;
/** Descriptor rings. */
export const DESCRIPTORS_AT: u64 = 0x4000_0010_0000;
/** Rings of completion records. */
export const COMPLETIONS_AT: u64 = 0x4000_0020_0000;
/** Records of what devices write. */
export const RECORDS_AT: u64 = 0x4000_0030_0000;
/** A bit a page that has landed after the resume: words that the card writes behind the pages. */
export const LANDED_AT: u64 = 0x4000_1000_0000;
/** Buffers of the destination's host for records (kernel/ring), a page each, and their descriptors. */
export const BUFFERS_AT: u64 = 0x4000_2000_0000;
export const BUFFER_DESCRIPTORS_AT: u64 = 0x4000_3000_0000;
/** Buffers of other I/O of the card. */
export const TENANT_AT: u64 = 0x4001_0000_0000;

/** What a storage adapter and its intermediary share: the state, the queues and buffers of the PF. */
export const STORAGE_AT: u64 = 0x4002_0000_0000;
/** The bitmap of dirty pages, where the card scans it. */
export const BITMAP_AT: u64 = 0x4003_0000_0000;

/** Address of a guest page. */
// @ts-ignore: decorator
@inline
export function addressOf(pfn: u32): u64 {
  return (<u64>pfn) << 12;
}
