// SPDX-License-Identifier: Apache-2.0
/**
 * Records that are made before the migration is asked for, from docs/model.md section 21: what a store of so
 * many bytes holds, and what a first round sends of it. Everything is asked of one list of happenings, from
 * its beginning each time.
 */

/** What happened to a page, in order. `bytes`: of the record without its header and tag. */
export type Step =
  | { what: "written" | "taken" | "begun" | "announced" | "passed"; pfn: number }
  | { what: "kept"; pfn: number; bytes: number };

const ENTRY = 40;
const LINE = 64;
const PAGE = 4096;

/** Bytes that a record takes in the store. */
export function roomOf(bytes: number): number {
  return ENTRY + Math.ceil(bytes / LINE) * LINE;
}

/**
 * Pages that fit: the next one begins when the longest record fits behind all before it. Given are the bytes
 * of each page's record; what is beyond the list is not known.
 */
export function fitting(records: readonly number[], store: number): number {
  let used = 0;
  for (const [n, bytes] of records.entries()) {
    if (used + ENTRY + PAGE > store) return n;
    used += roomOf(bytes);
  }
  return records.length;
}

export interface Outcome {
  /** Pages whose record is sent as it was made, in order of addresses. */
  sent: number[];
  /** Pages with a record that is not sent. */
  stale: number[];
  /** Bytes of the records that the store had at the most: one that came late is not among them. */
  used: number;
}

/** What becomes of every page that was begun for the store, when the first round has passed all of them. */
export function outcome(steps: readonly Step[]): Outcome {
  const pages = [...new Set(steps.filter(({ what }) => what === "begun").map(({ pfn }) => pfn))];
  pages.sort((a, b) => a - b);
  const result: Outcome = { sent: [], stale: [], used: 0 };
  for (const page of pages) {
    const its = steps.filter(({ pfn }) => pfn === page);
    const at = (what: Step["what"]): number => its.findIndex((step) => step.what === what);
    const [taken, kept, announced, passed] = [at("taken"), at("kept"), at("announced"), at("passed")];
    const record = its[kept];
    if (taken < 0 || record?.what !== "kept") throw new Error(`page ${page} was begun and not kept`);
    const written = its.slice(taken, announced).some(({ what }) => what === "written");
    const late = passed >= 0 && kept > passed;
    if (!late) result.used += roomOf(record.bytes);
    (late || written ? result.stale : result.sent).push(page);
  }
  return result;
}
