// SPDX-License-Identifier: Apache-2.0
// The data links.
import type { Row } from "./row.ts";

export const link: readonly Row[] = [
  [
    "exact",
    "channel/tcp",
    "a frame is one byte short",
    "const FRAME_OVERHEAD: u32 = 38;",
    "const FRAME_OVERHEAD: u32 = 37;",
    "chain, wire bytes",
  ],
  [
    "exact",
    "channel/tcp",
    "half the propagation",
    "  arrive(1 - side, m.free + propagation, link",
    "  arrive(1 - side, m.free + propagation / 2, link",
    "chain",
  ],
  [
    "runs",
    "channel/tcp",
    "the congestion window does not limit",
    "  const byCwnd = s.una + c.cwnd;",
    "  const byCwnd = NEVER;",
    "slow start: no sooner",
  ],
  [
    "runs",
    "channel/tcp",
    "the receive window does not limit",
    "  const limit = byCwnd < c.right ? byCwnd : c.right;",
    "  const limit = byCwnd;",
    "invariant everything-home, bounds-hold",
  ],
  [
    "runs",
    "channel/tcp",
    "the second segment is not acknowledged at once",
    "end - c.acked > mss ? t : t + delack;",
    "t + delack;",
    "slow start: no timer",
  ],
  [
    "runs",
    "channel/tcp",
    "a single segment is never acknowledged",
    "end - c.acked > mss ? t : t + delack;",
    "end - c.acked > mss ? t : NEVER;",
    "invariant everything-home",
  ],
  [
    "runs",
    "channel/tcp",
    "the window never opens again",
    "  return takenAt(s, t) + window - c.advertised >= 2 * mss && c.advertised - s.received < window / 2;",
    "  return t == NEVER && takenAt(s, t) + window - c.advertised >= 2 * mss;",
    "a deadlock",
  ],
  [
    "runs",
    "channel/tcp",
    "the rate cap holds at half",
    "    m.capFrom = t + gap / capDen;",
    "    m.capFrom = t + gap / capDen / 2;",
    "invariant bounds-hold",
  ],
];
