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
    "invariant conserved",
  ],
  [
    "hosts",
    "kernel/host-costs",
    "hosts: a header is opened for nothing",
    "  return coreTicks(side, RECORD_HEADER_BYTES + bytes, S_HOST_GCM);",
    "  return coreTicks(side, bytes, S_HOST_GCM);",
    "works of the destination's host",
  ],
  [
    "hosts",
    "host/frontend",
    "hosts: every page of a message is sealed with one number",
    "  const number = m.c + i;",
    "  const number = m.c;",
    "invariant tag",
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
    "host/placing",
    "hosts: a worker takes a record that has landed before one that an engine gave back",
    "againCount != 0 ? takeAgain() : takeLanded()",
    "nothingLanded() ? takeAgain() : takeLanded()",
    "works of the destination's host",
  ],
];
