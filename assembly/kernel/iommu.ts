// SPDX-License-Identifier: Apache-2.0
// IOMMU in front of host memory: a translation cache (IOTLB) and page walkers.
//
//   hit:   0, or until the walk of its page is over
//   miss:  a walker is taken at w = max(arrival, the first walker that is free, the walk before it in the
//          same page table if walks of one table follow each other); the translation is there `walk` later,
//          walker and table are free `recovery` after that, a read's walker `read` later for each of its
//          completions
// IOTLB: `sets` sets of `ways` entries, least recently used out. A page is 4 KiB or, with super-pages, 2 MiB.
// Walks are computed in order of arrival. So misses are answered at `walkers` / `walk` at most, whatever the
// requests' size, and not only later.
//
//   entry, 24 bytes: | page + 1 u64 | used u64 | there u64 |
//   walk tables:     | busy until u64 |, by the low bits of the number of the page table
import {
  S_IOMMU_PAGE_LOG,
  S_IOMMU_READ,
  S_IOMMU_RECOVERY,
  S_IOMMU_SERIAL,
  S_IOMMU_SETS,
  S_IOMMU_WALK,
  S_IOMMU_WALKERS,
  S_IOMMU_WAYS,
  C_IOTLB_HITS,
  C_IOTLB_MISSES,
  WALKERS_MAX,
} from "../abi";
import { reserve } from "./memory";
import { p, p32 } from "./params";
import { count } from "./stats";

const ENTRY: usize = 24;
/** Pages of a page table: 512 entries of 8 bytes in 4 KiB. */
const TABLE_LOG: u64 = 9;
const TABLES: u32 = 4096;

const IOMMUS = memory.data(256, 16);

const WALKERS = memory.data(512, 16); // 2 sides * WALKERS_MAX * 8

if (2 * WALKERS_MAX * 8 != 512) ERROR("walkers");


@unmanaged
class Iommu {
  walk: u64;
  recovery: u64;
  read: u64;
  clock: u64; // lookups so far, for the order of use
  entries: usize;
  tables: usize; // 0 when walks of one page table may overlap
  sets: u32;
  ways: u32;
  walkers: u32;
  pageLog: u32;
}

// @ts-ignore: decorator
@inline
function iommu(side: u32): Iommu {
  return changetype<Iommu>(IOMMUS + (side << 7));
}

// @ts-ignore: decorator
@inline
function walker(side: u32, index: u32): usize {
  return WALKERS + ((side * WALKERS_MAX + index) << 3);
}

/** Builds the IOMMU of a side, none without sets; false when memory does not hold it. */
export function buildIommu(side: u32): bool {
  const m = iommu(side);
  memory.fill(changetype<usize>(m), 0, 128);
  m.sets = p32(side, S_IOMMU_SETS);
  if (m.sets == 0) return true;
  m.walk = p(side, S_IOMMU_WALK);
  m.recovery = p(side, S_IOMMU_RECOVERY);
  m.read = p(side, S_IOMMU_READ);
  m.ways = p32(side, S_IOMMU_WAYS);
  m.walkers = p32(side, S_IOMMU_WALKERS);
  m.pageLog = p32(side, S_IOMMU_PAGE_LOG);
  for (let i: u32 = 0; i < WALKERS_MAX; i++) store<u64>(walker(side, i), 0);
  m.entries = reserve(<u64>m.sets * m.ways * ENTRY);
  if (p32(side, S_IOMMU_SERIAL) != 0) m.tables = reserve((<u64>TABLES) << 3);
  return m.entries != 0 && (p32(side, S_IOMMU_SERIAL) == 0 || m.tables != 0);
}

// @ts-ignore: decorator
@inline
export function hasIommu(side: u32): bool {
  return iommu(side).sets != 0;
}

/**
 * Ticks from `arrival`, which never goes back, until the translation of an address is there. Completions of
 * a read keep its walker; a write has none.
 */
export function translate(side: u32, address: u64, arrival: u64, completions: u32): u64 {
  const m = iommu(side);
  const page = address >> m.pageLog;
  const set = m.entries + <usize>(page % m.sets) * m.ways * ENTRY;
  m.clock++;
  let oldest = set;
  for (let i: u32 = 0; i < m.ways; i++) {
    const at = set + <usize>i * ENTRY;
    if (load<u64>(at) == page + 1) {
      store<u64>(at, m.clock, 8);
      count(side, C_IOTLB_HITS, 1);
      const there = load<u64>(at, 16);
      return there > arrival ? there - arrival : 0;
    }
    if (load<u64>(at, 8) < load<u64>(oldest, 8)) oldest = at;
  }
  count(side, C_IOTLB_MISSES, 1);
  const there = walked(side, m, page, arrival, completions);
  store<u64>(oldest, page + 1);
  store<u64>(oldest, m.clock, 8);
  store<u64>(oldest, there, 16);
  return there - arrival;
}

/** Takes the walker that is free first; returns when its walk is over. */
function walked(side: u32, m: Iommu, page: u64, arrival: u64, completions: u32): u64 {
  let first = walker(side, 0);
  for (let i: u32 = 1; i < m.walkers; i++) {
    if (load<u64>(walker(side, i)) < load<u64>(first)) first = walker(side, i);
  }
  let from = load<u64>(first) > arrival ? load<u64>(first) : arrival;
  if (m.tables != 0) {
    const table = m.tables + ((<usize>((page >> TABLE_LOG) & (TABLES - 1))) << 3);
    if (load<u64>(table) > from) from = load<u64>(table);
    store<u64>(table, from + m.walk + m.recovery);
  }
  store<u64>(first, from + m.walk + m.recovery + m.read * completions);
  return from + m.walk;
}
