// SPDX-License-Identifier: Apache-2.0
// TCP over a path that loses, and the path.
import type { Row } from "./row.ts";

const AT_THE_END = "transfer: end in ticks";

/** File below kernel/, name, text, text instead. */
const ROWS: readonly [file: string, name: string, find: string, replace: string][] = [
  [
    "path",
    "a frame that is dropped arrives",
    "    if (waits * queueDen > buffer) {",
    "    if (waits == 1) {",
  ],
  [
    "path",
    "loss strikes twice as often",
    "mix(w.seed, number) < w.loss",
    "mix(w.seed, number) >> 1 < w.loss",
  ],
  ["pause", "a PAUSE takes no time", "+ den - 1) / den + hop;", "+ den - 1) / den * 0;"],
  [
    "pause",
    "the mark is half as high again",
    "= g(G_NET_PAUSE_HIGH) * queueNum;",
    "= g(G_NET_PAUSE_HIGH) * queueNum * 3 / 2;",
  ],
  ["path", "frames reach the switch at once", "  const at = t + hop;", "  const at = t;"],
  ["congestion", "reno keeps three quarters", "max<u32>(c.cwnd >> 1, 2)", "max<u32>((c.cwnd * 3) >> 2, 2)"],
  [
    "congestion",
    "cubic keeps eight tenths",
    "max<u32>((c.cwnd * 7) / 10, 2)",
    "max<u32>((c.cwnd * 8) / 10, 2)",
  ],
  ["congestion", "cubic grows by its root's twice", "<< 1) / 5) >> 39", "<< 2) / 5) >> 39"],
  [
    "congestion",
    "no friendly region",
    "  if (c.friendly > cwnd) c.perIncrease",
    "  if (c.friendly > 1 << 30) c.perIncrease",
  ],
  [
    "congestion",
    "cubic asks its curve at every ACK",
    "- c.askedAt <= ASK_AGAIN) return;",
    "- c.askedAt < 0) return;",
  ],
  ["tuning", "a sink has always read all", "atOnce && fixed ?", "atOnce && !fixed ?"],
  [
    "congestion",
    "slow start is never left early",
    "    if (t - c.roundAt > ",
    "    if (t - c.roundAt > NEVER - ",
  ],
  [
    "congestion",
    "a reduction sends all at once",
    "    send = <i32>planned - <i32>c.prrOut;",
    "    send = <i32>planned;",
  ],
  [
    "congestion",
    "slow start counts ACKs",
    "min<u32>(c.cwnd + acked, c.ssthresh)",
    "min<u32>(c.cwnd + 1, c.ssthresh)",
  ],
  ["congestion", "small bursts go at once", "  if (due) c.burst = whole;", "  c.burst = whole;"],
  ["recovery", "two segments tell a loss", "const DUPLICATES: u32 = 3;", "const DUPLICATES: u32 = 2;"],
  [
    "recovery",
    "a retransmission is never lost",
    "    if (stale) continue;",
    "    if (stale || wait == 0) continue;",
  ],
  [
    "recovery",
    "the timeout is 100 ms",
    "const RTO_LEAST: u64 = 200 * MS;",
    "const RTO_LEAST: u64 = 100 * MS;",
  ],
  ["recovery", "timeouts do not back off", "  c.backoff++;", ""],
  ["recovery", "the window stays cut low", "  if (c.state == RECOVERY) c.cwnd = c.ssthresh;", ""],
  ["recovery", "the smoothed RTT is the last", "c.srtt - (c.srtt >> 3) + (rtt >> 3)", "rtt"],
  [
    "reassembly",
    "the oldest block is told first",
    "    c.recent2 = c.recent1;\n    c.recent1 = c.recent0;\n",
    "",
  ],
  [
    "tuning",
    "the window does not grow",
    "  if (c.window < c.clamp && bytes",
    "  if (c.window > c.clamp && bytes",
  ],
  [
    "tuning",
    "the clamp does not follow",
    "    if (wanted > c.clamp) c.clamp",
    "    if (wanted == 0) c.clamp",
  ],
  ["sending", "what is in flight has no cap", "flightMost == 0 ? c.right", "flightMost >= 0 ? c.right"],
  [
    "ranges",
    "blocks that touch stay two",
    "rangeAt(ranges, past).from <= mine.to",
    "rangeAt(ranges, past).from < mine.to",
  ],
];

export const lossy: readonly Row[] = [
  ...ROWS.map(([file, ...rest]): Row => ["lossy", `kernel/${file}`, ...rest, AT_THE_END]),
  [
    "lossy",
    "channel/tcp-lossy",
    "a frame that was lost is not counted",
    "    arrived(path(1 - side), m.tail - m.head, t);",
    "    arrived(path(1 - side), m.tail - m.head + 1, t);",
    "invariant everything-home",
  ],
];
