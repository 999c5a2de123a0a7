// SPDX-License-Identifier: Apache-2.0
// Devices that write guest memory, and what sees them.
import type { Row } from "./row.ts";

export const devices: readonly Row[] = [
  [
    "devices",
    "kernel/device-ring",
    "records go before the data",
    "  return order != 0;",
    "  return true;",
    "invariant destination-equals-source",
  ],
  [
    "devices",
    "kernel/device-ring",
    "slots of writes that are not complete come back",
    "(order != RECORD_BEFORE || load",
    "(order == RECORD_BEFORE || load",
    "invariant destination-equals-source",
  ],
  [
    "devices",
    "kernel/device-ring",
    "the card takes slots that have not been examined",
    "  released = index;",
    "  released = produced;",
    "invariant record-slot-examined",
  ],
  [
    "devices",
    "kernel/device-ring",
    "the IOTLB is not flushed",
    "  if (t < flushAt) return;",
    "  if (t != NEVER) return;",
    "invariant mark-cleared-before-read or destination-equals-source",
  ],
  [
    "devices",
    "kernel/device-ring",
    "a flag tells of no buffer",
    "    mark(pfn);\n  }\n  store<u32>(TOLD_OF",
    "  }\n  store<u32>(TOLD_OF",
    "invariant mark-cleared-before-read or destination-equals-source",
  ],
  [
    "devices",
    "host/frontend",
    "devices write on while the guest is being stopped",
    "    quiesceDevices(t);\n",
    "",
    "the end of the run: the guest waits for its devices for ever",
  ],
  [
    "devices",
    "card/dma",
    "a mark may stand while its page is read",
    "  if (checksReads) readsCleared(j.pfn);\n",
    "",
    "a tracker that clears late",
  ],
  [
    "devices",
    "src/oracle",
    "memory is expected without the devices' writes",
    "index, scenario.seed, landed)) versions[pfn]!++;",
    "index, scenario.seed, 0 * landed)) versions[pfn]!++;",
    "a disk is seen",
  ],
];
