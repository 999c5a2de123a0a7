// SPDX-License-Identifier: Apache-2.0
/** Keys of a host: what its front-end takes for what devices have written. */
import type { KeyTable } from "./keys.ts";

export const DEVICE_KEYS: KeyTable = {
  "tracker.examine": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "an examination of the ring of device records: waking, its index, the doorbell",
  },
  "tracker.record": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "one such record: a load, whose page it is, its mark",
  },
  "tracker.iommuEntryCycles": {
    measure: "cycles",
    min: 0,
    max: 1000,
    text: "read of one entry of the IOMMU's page table",
  },
  "tracker.iommuClear": {
    measure: "time",
    min: 0,
    max: 1e-4,
    text: "clearing the dirty bit of an entry, and its mark",
  },
  "tracker.iotlbFlush": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "flush of the IOTLB, with the writes under way",
  },
};
