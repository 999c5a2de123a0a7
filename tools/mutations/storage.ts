// SPDX-License-Identifier: Apache-2.0
// A storage adapter that moves with its guest.
import type { Row } from "./row.ts";

export const storage: readonly Row[] = [
  [
    "storage",
    "kernel/adapter-state",
    "the requests of a storage adapter are dropped from its state",
    "  store<u32>(at, n, 12);",
    "  store<u32>(at, 0, 12);",
    "invariant storage-completes-once",
  ],
  [
    "storage",
    "kernel/adapter-state",
    "the storage adapter hands over a place too far",
    "  store<u32>(at, a.head);",
    "  store<u32>(at, a.head + 1);",
    "invariant storage-indices-equal, or storage-completes-once",
  ],
  [
    "storage",
    "kernel/adapter",
    "a storage adapter that drains does not wait",
    "if (inFlight(s) && (!carries || s.cut != 0)) return false;",
    "if (inFlight(s) && s.cut != 0) return false;",
    "storage: drain: requests in the state",
  ],
  [
    "storage",
    "kernel/storage",
    "nobody marks what a storage adapter writes",
    "  const marked = markDirty(pfn);",
    "  const marked = false;",
    "invariant destination-equals-source, or mark-cleared-before-read",
  ],
];
