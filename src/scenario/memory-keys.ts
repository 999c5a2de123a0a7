// SPDX-License-Identifier: Apache-2.0
/** Preset keys of host memory and what lies between it and a card: the memory and IOMMU part of hosts. */
import type { KeyTable } from "./keys.ts";

export const MEMORY_KEYS: KeyTable = {
  "memory.bandwidth": { measure: "rate", min: 1e9, max: 1e14, text: "peak bandwidth of one socket's DRAM" },
  "memory.readLatency": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "from a read request's last byte to its completion's first, data in the last-level cache",
  },
  "memory.missAdder": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "added when the data is not in that cache",
  },
  "memory.atomicAdder": { measure: "time", min: 0, max: 1e-4, text: "added for an AtomicOp" },
  "memory.remoteAdder": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "added when line and memory are on the other socket",
  },
  "memory.cache": { measure: "bytes", min: 65536, max: 2 ** 32, text: "last-level cache of a socket" },
  "memory.load": {
    measure: "count",
    unit: "per mille",
    min: 0,
    max: 950,
    text: "share that others use of it, in thousandths",
  },
  "memory.sustained": {
    measure: "count",
    unit: "per mille",
    min: 100,
    max: 1000,
    text: "share of the peak bandwidth that memory keeps up, in thousandths",
  },
  "memory.contention": {
    measure: "count",
    unit: "per mille",
    min: 0,
    max: 10000,
    text: "factor on the wait of a queue that load means to a read, in thousandths",
  },
  "memory.jitterMin": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "jitter: the least latency is so much below the median",
  },
  "memory.jitterP5": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "jitter, the 5 % quantile, so much below the median; no more than jitterMin",
  },
  "memory.jitterP95": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "jitter of a read's latency, 95 % quantile",
  },
  "memory.jitterP99": { measure: "time", min: 0, max: 1e-3, text: "jitter, 99 % quantile" },
  "memory.jitterP999": { measure: "time", min: 0, max: 1e-3, text: "jitter, 99.9 % quantile" },
  "memory.jitterMax": { measure: "time", min: 0, max: 1e-2, text: "jitter, the most" },
  "iommu.entries": { measure: "count", min: 1, max: 65536, text: "translations that the IOTLB holds" },
  "iommu.ways": { measure: "count", min: 1, max: 1024, text: "entries of a set of the IOTLB" },
  "iommu.walk": { measure: "time", min: 0, max: 1e-4, text: "a page walk" },
  "iommu.recovery": { measure: "time", min: 0, max: 1e-4, text: "from a walk's end to the walker's next" },
  "iommu.readPerCompletion": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "a read keeps its walker longer by this for each of its completions",
  },
  "iommu.walkers": { measure: "count", min: 1, max: 32, text: "page walks at a time" },
  "iommu.serialWalks": {
    measure: "choice",
    values: ["yes", "no"],
    text: "whether walks of one page table follow each other",
  },
};

/** Of a card's DRAM. */
export const STORE_KEYS: KeyTable = {
  "dram.store": {
    measure: "bytes",
    min: 4136,
    max: 2 ** 40,
    text: "of it, for records of pages that are encrypted before the request",
  },
};
