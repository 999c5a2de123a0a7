// SPDX-License-Identifier: Apache-2.0
/**
 * The fingerprint of a run: SHA-256 over the text `dpusim.fingerprint/1`, a line `name value` for every
 * number, in this order: elapsed ticks; counters of both sides by number, from 64 on those that are not 0;
 * ticks of every account by number and state; histograms of both sides by number, from 8 on those that hold
 * any: count, sum, max, min, then `bucket:samples` of every bucket that holds any; the log, from 32 on what
 * is not 0; every round; every guest where the server has a list of them; wire bytes when the last round
 * began, where not 0; the series: ticks of a bin, then
 * the bins of each. Values are decimal integers.
 * Another list is another version.
 *
 * Not in it: the core's build variant, wall clock, paths, what the checks found, what is derived from the
 * rest, and how much of each count had been reached when the migration was asked for.
 */
import { hashText } from "./canonical.ts";
import type { Histogram, Reading } from "./reading.ts";

export const FINGERPRINT_LIST = "dpusim.fingerprint/1";
/** What the list had at first; of later ones it has those that are not 0. */
const COUNTERS = 64;
const HISTOGRAMS = 8;
const LOG = 32;

function samples({ count, sum, max, min, buckets }: Histogram): string {
  const held = [...buckets.entries()].filter(([, n]) => n !== 0n).map(([bucket, n]) => `${bucket}:${n}`);
  return [count, sum, max, min, ...held].join(" ");
}

/** The text that is hashed. */
export function fingerprintText(reading: Reading): string {
  const lines = [FINGERPRINT_LIST, `elapsed ${reading.elapsedTicks}`];
  for (const side of [0, 1]) {
    for (const [i, value] of reading.counters[side]!.entries())
      if (i < COUNTERS || value !== 0n) lines.push(`counter.${side}.${i} ${value}`);
  }
  for (const side of [0, 1]) {
    for (const [i, ticks] of reading.accounts[side]!.entries()) {
      if (ticks !== null) lines.push(`account.${side}.${i} ${ticks.join(" ")}`);
    }
  }
  for (const side of [0, 1]) {
    for (const [i, histogram] of reading.histograms[side]!.entries()) {
      const words = samples(histogram);
      if (i < HISTOGRAMS || /[1-9]/.test(words)) lines.push(`histogram.${side}.${i} ${words}`);
    }
  }
  for (const [i, value] of reading.log.entries())
    if (i < LOG || value !== 0n) lines.push(`log.${i} ${value}`);
  for (const [i, row] of reading.rounds.entries()) lines.push(`round.${i} ${row.join(" ")}`);
  for (const [i, row] of reading.guests.entries()) lines.push(`guest.${i} ${row.join(" ")}`);
  if (reading.wireFrom !== 0n) lines.push(`wire ${reading.wireFrom}`);
  lines.push(`series ${reading.seriesWindowTicks}`);
  for (const [i, bins] of reading.series.entries()) lines.push(`series.${i} ${bins.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** The fingerprint in hex. */
export function fingerprint(reading: Reading): string {
  return hashText(fingerprintText(reading));
}
