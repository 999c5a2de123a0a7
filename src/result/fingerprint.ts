// SPDX-License-Identifier: Apache-2.0
/**
 * The fingerprint of a run: SHA-256 over the text `dpusim.fingerprint/1`, a line `name value` for every
 * number, in this order: elapsed ticks; counters of both sides by number; ticks of every account by number
 * and state; the log; every round. Values are decimal integers. Another list is another version.
 *
 * Not in it: the core's build variant, wall clock, paths, what the checks found, and what is derived from the
 * rest.
 */
import { hashText } from "./canonical.ts";
import type { Reading } from "./reading.ts";

export const FINGERPRINT_LIST = "dpusim.fingerprint/1";

/** The text that is hashed. */
export function fingerprintText(reading: Reading): string {
  const lines = [FINGERPRINT_LIST, `elapsed ${reading.elapsedTicks}`];
  for (const side of [0, 1]) {
    for (const [i, value] of reading.counters[side]!.entries()) lines.push(`counter.${side}.${i} ${value}`);
  }
  for (const side of [0, 1]) {
    for (const [i, ticks] of reading.accounts[side]!.entries()) {
      if (ticks !== null) lines.push(`account.${side}.${i} ${ticks.join(" ")}`);
    }
  }
  for (const [i, value] of reading.log.entries()) lines.push(`log.${i} ${value}`);
  for (const [i, row] of reading.rounds.entries()) lines.push(`round.${i} ${row.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** The fingerprint in hex. */
export function fingerprint(reading: Reading): string {
  return hashText(fingerprintText(reading));
}
