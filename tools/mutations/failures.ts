// SPDX-License-Identifier: Apache-2.0
// Migrations that are broken off.
import type { Row } from "./row.ts";

export const failures: readonly Row[] = [
  [
    "failures",
    "kernel/abandon",
    "broken off when everything has been handed over",
    "f.next != WAIT_START && f.next != WAIT_DONE && ",
    "f.next != WAIT_START && ",
    "invariant one-guest-runs",
  ],
  [
    "failures",
    "kernel/dirty",
    "a guest that goes on makes up for the time it stood still",
    "  heldUp += stoppedFor;",
    "",
    "writes by the end",
  ],
  [
    "failures",
    "host/frontend",
    "broken off: what is being done is forgotten",
    "    drop(f, t);\n    if (brokenOff(",
    "    f.doing = NOTHING;\n    if (brokenOff(",
    "invariant everything-home",
  ],
  [
    "failures",
    "kernel/recovery",
    "a connection that nobody answers is given up a timeout later",
    "t - c.againSince >= patience(retries);",
    "t - c.againSince >= 2 * patience(retries);",
    "given up",
  ],
  [
    "failures",
    "firmware/builtin",
    "silence counts from the handshake",
    "max<u64>(path(1).heardAt, watchedFrom)",
    "watchedFrom",
    "silence",
  ],
  [
    "failures",
    "kernel/trouble",
    "a record that meets a closed link is not written off",
    "  recordsDropped++;",
    "",
    "invariant everything-home",
  ],
  [
    "failures",
    "card/crypto",
    "a record whose tag does not fit goes on",
    "    if ((j.flags & SPOILT) != 0) {\n      engineFree",
    "    if (false) {\n      engineFree",
    "invariant record-authentic",
  ],
  [
    "failures",
    "kernel/path",
    "a card that was reset hears on",
    "  if (leaves >= deafFrom && side == 0) {",
    "  if (false) {",
    "reset",
  ],
  [
    "failures",
    "firmware/builtin",
    "the source is not told of a record that was refused",
    "  } else if (reason == REASON_TAG) own(side, JOB_ABORT, reason, 0, 0, t);",
    "  }",
    "a deadlock, or a run without an end",
  ],
];
