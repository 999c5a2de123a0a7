// SPDX-License-Identifier: Apache-2.0
// A card that scans the bitmap of dirty pages itself; a ring of device records that overflows.
import type { Row } from "./row.ts";

export const scan: readonly Row[] = [
  [
    "scan",
    "kernel/bitmap-scan",
    "a Swap loses the first mark of its word",
    "  store<u64>(takenAt(entry), clearWord(word));",
    "  store<u64>(takenAt(entry), clearWord(word) & ~(<u64>2));",
    "invariant destination-equals-source",
  ],
  [
    "scan",
    "kernel/scan-driver",
    "the front-end answers a flush that it has not made",
    "  tlbsFlushed(t);\n",
    "",
    "invariant scan-loses-no-mark",
  ],
  [
    "scan",
    "kernel/scan-driver",
    "a flush takes the front-end no time",
    "return work(f, WORKING, f.next, t + p(0, S_HOST_TLB_FLUSH));",
    "return work(f, WORKING, f.next, t);",
    "a card that scans: time of a flush",
  ],
  [
    "scan",
    "kernel/scan-driver",
    "vCPUs go on while TLBs are flushed",
    "if (guestRuns) holdUp(p(0, S_HOST_TLB_FLUSH));",
    "if (guestRuns) holdUp(0);",
    "a card that scans: time that the guest lost",
  ],
  [
    "scan",
    "kernel/scan-driver",
    "vCPUs are held up by what is left of a flush that is dropped",
    "if (guestRuns) giveBack(f.done - t);",
    "if (guestRuns) giveBack(0);",
    "a forced stop in a flush",
  ],
  [
    "scan",
    "card/bitmap-scanner",
    "pages of taken words are read before the flush",
    "if (last || g32(G_SCAN_FLUSH) == 0) {",
    "if (last || g32(G_SCAN_FLUSH) != 0) {",
    "invariant scan-loses-no-mark",
  ],
  [
    "scan",
    "kernel/packet",
    "an AtomicOp goes without a credit for its data",
    "(n != 0 && w.npd < 1)",
    "(n != 0 && w.npd < n - n)",
    "invariant pcie-credits-conserved",
  ],
  [
    "scan",
    "kernel/device-ring",
    "a ring that may not overflow does, and nobody says so",
    "if (full == FULL_FAIL && w.how == BY_FLAG)",
    "if (full == FULL_FAIL && w.how == BY_BITMAP)",
    "ring overflow: status",
  ],
];
