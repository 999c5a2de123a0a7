// SPDX-License-Identifier: Apache-2.0
// Pages that hosts seal, open, decode and place.
import type { Row } from "./row.ts";

export const hosts: readonly Row[] = [
  [
    "hosts",
    "host/placing",
    "hosts: a buffer goes back and its page is not placed",
    "  if (good) placed(h, buffer, t);\n",
    "",
    "invariant destination-equals-source",
  ],
  [
    "hosts",
    "kernel/ring",
    "hosts: the card fills a buffer that is not free",
    "  return freeCount == 0;",
    "  return false;",
    "invariant everything-home",
  ],
  [
    "hosts",
    "kernel/host-costs",
    "hosts: a header is opened for nothing",
    "  return coreTicks(side, RECORD_HEADER_BYTES + bytes, S_HOST_GCM);",
    "  return coreTicks(side, bytes, S_HOST_GCM);",
    "works of opening",
  ],
  [
    "hosts",
    "host/frontend",
    "hosts: every page of a message is sealed with one number",
    "  const number = m.c + i;",
    "  const number = m.c;",
    "invariant record-authentic",
  ],
  [
    "hosts",
    "kernel/ring",
    "hosts: the card does not hear of a tag that does not fit",
    "    if ((said & REFUSED) != 0) report(1, REASON_TAG, t);\n    else placedAdd(",
    "    if ((said & REFUSED) == 0) placedAdd(",
    "the status of a migration with a spoilt record",
  ],
  [
    "hosts",
    "kernel/host-costs",
    "hosts: a cipher beside the CPU has no header",
    "  const words = (8 * RECORD_HEADER_BYTES + b - 1) / b + (8 * bytes + b - 1) / b + 1;",
    "  const words = (8 * bytes + b - 1) / b + 1;",
    "works of ciphers beside the CPU",
  ],
  [
    "hosts",
    "kernel/abandon",
    "hosts: numbers of pages that are dropped are not written off",
    "    if (hostSeals) for (let i: u32 = 0; i < <u32>n; i++) recordDropped();\n",
    "",
    "invariant everything-home",
  ],
  [
    "hosts",
    "card/placer",
    "hosts: a record passes one of its page that lies in a buffer",
    "  if (hostStages != 0 && liesInBuffer(j)) {",
    "  if (false) {",
    "invariant no-older-copy-placed",
  ],
];
