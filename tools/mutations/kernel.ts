// SPDX-License-Identifier: Apache-2.0
// Clocks, accounts, queues.
import type { Row } from "./row.ts";

export const kernel: readonly Row[] = [
  [
    "exact",
    "kernel/server",
    "memory is busy with the last request of a period alone",
    "  s.served += span;",
    "  s.served = span;",
    "busy: memory",
  ],
  [
    "runs",
    "kernel/server",
    "memory is busy with what it has not begun",
    "    busy -= to - (from > t ? from : t);",
    "",
    "busy: memory",
  ],
  [
    "codec",
    "kernel/time",
    "an edge is rounded down",
    "  return whole * num + (k * num + den - 1) / den;",
    "  return whole * num + (k * num) / den;",
    "edgeAt",
  ],
  [
    "codec",
    "kernel/time",
    "an edge some clocks later is rounded down",
    "(k / den) * num + ((k % den) * num + den - 1) / den;",
    "(k / den) * num + ((k % den) * num) / den;",
    "edgeAfter",
  ],
  [
    "exact",
    "kernel/stats",
    "an interval is charged to the state that begins",
    "  const sum = at + 16 + (was << 3);",
    "  const sum = at + 16 + (state << 3);",
    "chain, busy",
  ],
  [
    "runs",
    "kernel/stats",
    "an interval is charged twice",
    "  store<u64>(sum, load<u64>(sum) + (t - load<u64>(at)));\n  store<u64>(at, t);\n",
    "  store<u64>(sum, load<u64>(sum) + 2 * (t - load<u64>(at)));\n  store<u64>(at, t);\n",
    "invariant accounts-sum-to-elapsed",
  ],
  [
    "exact",
    "kernel/stats",
    "samples fall a bucket low",
    "bucket = (octave - 2) * 8 +",
    "bucket = (octave - 3) * 8 +",
    "histogram: bucket",
  ],
  [
    "runs",
    "kernel/fifo",
    "room for one more than there is",
    "  if (room(q) >= n) return false;",
    "  if (room(q) + 1 >= n) return false;",
    "assertion: queue overflow",
  ],
  [
    "exact",
    "kernel/fifo",
    "what is put may be seen too early",
    "  if (at <= t) return true;",
    "  if (at <= t + 1024000) return true;",
    "chain",
  ],
];
