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
    "kernel/ending",
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
    "card/crypto",
    "a record whose tag does not fit goes on",
    "    if ((j.flags & SPOILT) != 0) {\n      engineFree",
    "    if (false) {\n      engineFree",
    "invariant record-authentic",
  ],
  [
    "failures",
    "board-wiring",
    "another attempt has the keys of the last one",
    "mix(context + 4 * g32(G_ATTEMPT), i)",
    "mix(context, i)",
    "invariant attempt-has-own-keys",
  ],
  [
    "failures",
    "src/attempts",
    "what has been repaired breaks again",
    "  return at > ended || (forTicks",
    "  return at > 0n || (forTicks",
    "another attempt",
  ],
];
