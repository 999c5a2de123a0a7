// SPDX-License-Identifier: Apache-2.0
// Compression that pays (`compress: { choose: throughput }`): the source's firmware has pages coded while
// that makes the channel carry more of them, as "compressed such that channel throughput is maximised" of US
// 2011/0302577 (Reuther) says.
//
// Models: a switch behind the zero filter, set by the firmware. After every `window` pages that were not
//   zero it looks (a handler of `roundEnd` cycles) at what its counters say since they last moved:
//     link    T ticks in which the port had something to send, B payload bytes that it sent
//     coder   C ticks that encoders were taken for, n pages that they made S bytes of, on e engines
//     raw   = (4096 + h) T / B                          ticks a page on the channel; h: header, tag, TLS
//     coded = max((S / n + h) T / B, C / (n e))         or in the encoders, whichever limits
//   Pages go raw when coded x 16 > raw x 17, coded when raw x 16 > coded x 17, and as before in between. It
//   begins coded. While pages go raw every 32nd is coded all the same, so that both sides are known.
// Limit: the better of both, less a window in which it is not known, and the pages coded meanwhile.
// Leaves out: ciphers and PCIe as what limits (neither choice changes what they take for a page, but for
//   bytes that are not sealed), engines that have failed, levels of an engine.
// Numbers: window and 32 are assumed, so is 1/16.
import {
  A_NET,
  C_BY_CHOICE,
  C_CHOICES,
  C_NET_PAYLOAD_A,
  C_NET_PAYLOAD_B,
  G_CHOOSE,
  G_ENCRYPT_BITS,
  PAGE_BYTES,
  Q_EVENT,
  RECORD_TAG_BYTES,
  STARVED,
  S_LZ_ENGINES,
} from "../abi";
import { EVENT_CHOICE, lacks, push, queue } from "./fifo";
import { g32, p32 } from "./params";
import { count, counted, stateTicks } from "./stats";
import { recordBytes } from "./stream";
import { edgeAfter } from "./time";

/** While pages go raw, so many in a row at most. */
const RAW_MOST: u32 = 31;
/** Ticks to about a picosecond, so that products fit. */
const SHIFT: u64 = 10;

/** True when the firmware chooses. */
export let choosing: bool = false;
let coding: bool = true;
let window: u32 = 0;
let pages: u32 = 0; // since the last look was asked for
let asked: bool = false;
let inRow: u32 = 0; // raw pages since the last that was coded
// what encoders have done
let codedPages: u64 = 0;
let codedBytes: u64 = 0;
let codedTicks: u64 = 0;
// at the look that used them last
let pagesThen: u64 = 0;
let bytesThen: u64 = 0;
let ticksThen: u64 = 0;
let sentThen: u64 = 0;
let starvedThen: u64 = 0;
let lookedAt: u64 = 0;
// what is known
let linkTicks: u64 = 0;
let linkBytes: u64 = 0;
let meanBytes: u64 = 0;
let coderTicks: u64 = 0; // of a page, in all engines

export function buildChoice(): void {
  window = g32(G_CHOOSE);
  choosing = window != 0;
  coding = true;
  asked = false;
  pages = inRow = 0;
  codedPages = codedBytes = codedTicks = pagesThen = bytesThen = ticksThen = 0;
  sentThen = starvedThen = lookedAt = linkTicks = linkBytes = meanBytes = coderTicks = 0;
}

/** Whether the next page goes raw by choice. */
export function goesRaw(): bool {
  return !coding && inRow < RAW_MOST;
}

/** A page that is not zero has left the filter at t, raw or to be coded. */
export function hasGone(raw: bool, t: u64): void {
  if (raw) count(0, C_BY_CHOICE, 1);
  inRow = raw ? inRow + 1 : 0;
  pages++;
  if (pages < window || asked || lacks(queue(0, Q_EVENT), 1)) return;
  pages = 0;
  asked = true;
  push(queue(0, Q_EVENT), EVENT_CHOICE, edgeAfter(0, t, 1));
}

/** An encoder is taken for a job of so many pages. */
export function hasCoded(n: u32, bytes: u64, ticks: u64): void {
  codedPages += n;
  codedBytes += bytes;
  codedTicks += ticks;
}

/** The firmware looks at t: what it knows, and what follows. */
export function choose(t: u64): void {
  asked = false;
  const starved = stateTicks(0, A_NET, STARVED, t);
  const sent = counted(0, C_NET_PAYLOAD_A) + counted(0, C_NET_PAYLOAD_B);
  if (sent != sentThen) {
    linkTicks = (t - lookedAt - (starved - starvedThen)) >> SHIFT;
    linkBytes = sent - sentThen;
    sentThen = sent;
    starvedThen = starved;
    lookedAt = t;
  }
  if (codedPages != pagesThen) {
    const n = codedPages - pagesThen;
    meanBytes = (codedBytes - bytesThen) / n;
    coderTicks = ((codedTicks - ticksThen) >> SHIFT) / (n * p32(0, S_LZ_ENGINES));
    pagesThen = codedPages;
    bytesThen = codedBytes;
    ticksThen = codedTicks;
  }
  if (linkBytes == 0 || pagesThen == 0) return;
  const around = recordBytes(0, g32(G_ENCRYPT_BITS) == 0 ? 0 : RECORD_TAG_BYTES);
  const raw = ((PAGE_BYTES + around) * linkTicks) / linkBytes;
  const coded = max<u64>(((meanBytes + around) * linkTicks) / linkBytes, coderTicks);
  if (coding ? coded * 16 > raw * 17 : raw * 16 > coded * 17) {
    coding = !coding;
    count(0, C_CHOICES, 1);
  }
}
