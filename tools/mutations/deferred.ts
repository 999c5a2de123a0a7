// SPDX-License-Identifier: Apache-2.0
// Decryption that is put off.
import type { Row } from "./row.ts";

export const deferred: readonly Row[] = [
  [
    "deferred",
    "card/placer",
    "on demand: what is kept is written as long as a page",
    "sealed ? (j.bytes + 3) & ~3 : PAGE_BYTES;",
    "sealed ? PAGE_BYTES : PAGE_BYTES;",
    "deferred: bytes written",
  ],
  [
    "deferred",
    "card/dma",
    "on demand: what is read back passes the engines by",
    "side == 0 ? Q_ZERO : Q_OPEN;",
    "side == 0 ? Q_ZERO : 16;",
    "invariant page-plain-before-use",
  ],
  [
    "deferred",
    "kernel/deferred",
    "on demand: the host is told of no sealed page",
    "  while (cursor < batches && bitsIn(sealedBits(cursor)) == 0) cursor++;",
    "  cursor = batches;",
    "invariant destination-equals-source",
  ],
  [
    "deferred",
    "kernel/deferred",
    "on demand: a newer record does not replace the one that is kept",
    "  if (zero) return;\n  store<u64>(e, j.nonce);",
    "  if (zero || was) return;\n  store<u64>(e, j.nonce);",
    "invariant destination-equals-source",
  ],
  [
    "deferred",
    "kernel/deferred",
    "on demand: a page that comes again counts as cold",
    "  if (was || placedVersion(j.pfn) != ABSENT) set(hot, j.pfn);",
    "  if (was && placedVersion(j.pfn) == ABSENT) set(hot, j.pfn);",
    "deferred: pages of the hot set",
  ],
  [
    "deferred",
    "kernel/deferred",
    "on demand: a page that is asked for counts among those that the rate allows",
    "  if (asked == 0) inHand--;",
    "  inHand--;",
    "invariant everything-home",
  ],
  [
    "deferred",
    "firmware/deferred",
    "on demand: what is asked for goes behind all that waits",
    "  else pushFirst(queue(1, Q_FOUND), readBack(pfn, ASKED), next(1, t));",
    "  else push(queue(1, Q_FOUND), readBack(pfn, 0), next(1, t));",
    "invariant everything-home",
  ],
];
