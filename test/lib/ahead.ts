// SPDX-License-Identifier: Apache-2.0
// A recorded migration whose source encrypts before the request, against the slow store.
import * as abi from "../../assembly/abi.ts";
import { fitting, type Outcome, outcome, type Step } from "./reference/ahead.ts";
import { sameLists } from "./reference/compare.ts";
import type { Happening, Run } from "./timeline.ts";

const NAMES: Readonly<Record<number, Step["what"]>> = {
  [abi.P_WRITTEN]: "written",
  [abi.P_STORED]: "kept",
};

/** Steps of pages at the source, from the first mark that is taken for the store to the end of round 1. */
function stepsOf(events: readonly Happening[]): Step[] {
  const steps: Step[] = [];
  let round = 0;
  for (const e of events) {
    if (e.kind !== abi.T_PAGE || e.side !== 0) continue;
    const { which, a: pfn, b } = e;
    if (which === abi.P_ANNOUNCED) {
      if (b > 1) break;
      round = b;
      steps.push({ what: round === 0 ? "taken" : "announced", pfn });
    } else if (which === abi.P_FOUND) steps.push({ what: round === 0 ? "begun" : "passed", pfn });
    else if (which === abi.P_STORED) steps.push({ what: "kept", pfn, bytes: b });
    else if (NAMES[which] !== undefined) steps.push({ what: "written", pfn });
  }
  return steps;
}

/** Pages of one step at the source in a round, in order of addresses. */
function readInFirstRound(events: readonly Happening[]): number[] {
  const from = events.findIndex((e) => e.which === abi.P_ANNOUNCED && e.kind === abi.T_PAGE && e.b === 1);
  const to = events.findIndex((e) => e.which === abi.P_ANNOUNCED && e.kind === abi.T_PAGE && e.b > 1);
  const reads = events.slice(from, to < 0 ? events.length : to).filter(({ kind, side }) => {
    return kind === abi.T_PAGE && side === 0;
  });
  const found = reads.filter(({ which }) => which === abi.P_FETCHED || which === abi.P_POSTED);
  return [...new Set(found.map(({ a }) => a))].sort((a, b) => a - b);
}

/**
 * Pages in the order in which they must begin: batches as cores have handled their addresses, each from its
 * first page on, and whole unless it is the last.
 */
function orderOf(begun: readonly number[], pages: number): number[] {
  const batches = [...new Set(begun.map((pfn) => Math.floor(pfn / abi.BATCH_PAGES)))];
  const all = batches.flatMap((batch) => {
    const from = batch * abi.BATCH_PAGES;
    return Array.from({ length: Math.min(abi.BATCH_PAGES, pages - from) }, (_, i) => from + i);
  });
  return all.slice(0, begun.length);
}

const log = (run: Run, index: number): number => Number(run.core.logged(index));
const counter = (run: Run, index: number): number => Number(run.core.counter(0, index));

/** How long a card with pages to make lets go by between two records at most (100 MB/s are 41 us). */
const PAUSE = 300_000 * abi.TICKS_PER_NS;

/** Whether the card had long nothing to do for the store when the request came. */
function idle(run: Run): boolean {
  const kept = run.events.filter((e) => e.kind === abi.T_PAGE && e.which === abi.P_STORED);
  const last = Math.max(run.params.global[abi.G_STORE_FROM]!, ...kept.map(({ t }) => t));
  return last + PAUSE < run.params.global[abi.G_START_AT]!;
}

/** Throws where a run and the slow store differ. */
export function checkStore(run: Run): Outcome {
  const { global, sides } = run.params;
  const steps = stepsOf(run.events);
  const found = outcome(steps);
  const begun = steps.filter(({ what }) => what === "begun").map(({ pfn }) => pfn);
  sameLists("page of the store", begun, orderOf(begun, global[abi.G_PAGES]!));
  const records = steps.flatMap((step) => (step.what === "kept" ? [[step.pfn, step.bytes] as const] : []));
  const sizes = new Map(records);
  const fit = fitting([...begun.map((pfn) => sizes.get(pfn)!), abi.PAGE_BYTES], sides[0][abi.S_STORE_BYTES]!);
  const full = fit === begun.length && begun.length < global[abi.G_PAGES]!;
  if (begun.length > fit) throw new Error(`store: ${begun.length} pages were begun, ${fit} fit`);
  if (idle(run) && begun.length < Math.min(fit, global[abi.G_PAGES]!))
    throw new Error(`store: ${begun.length} pages were begun, and there is room and time for more`);
  if (log(run, abi.L_STORE_FULL) !== 0 && !full) throw new Error("store: it is full and has room");
  const numbers: [string, number, number][] = [
    ["pages stored", counter(run, abi.C_STORED), begun.length],
    ["pages sent as they were", counter(run, abi.C_STORE_SENT), found.sent.length],
    ["stale pages", counter(run, abi.C_STORE_STALE), found.stale.length],
    ["bytes of the store", log(run, abi.L_STORE_BYTES), found.used],
  ];
  sameLists(
    "number",
    numbers.map(([name, mine]) => [name, mine]),
    numbers.map(([name, , theirs]) => [name, theirs]),
  );
  const sent = new Set(found.sent);
  const others = Array.from({ length: global[abi.G_PAGES]! }, (_, pfn) => pfn).filter(
    (pfn) => !sent.has(pfn),
  );
  sameLists("page read in the first round", readInFirstRound(run.events), others);
  return found;
}

/** Ticks between the beginnings of pages for the store, one after the other. */
export function pacesOf(run: Run): number[] {
  const first = run.events.findIndex(
    (e) => e.kind === abi.T_PAGE && e.which === abi.P_ANNOUNCED && e.b === 1,
  );
  const times = run.events
    .slice(0, first)
    .filter((e) => e.kind === abi.T_PAGE && e.side === 0 && e.which === abi.P_FOUND)
    .map(({ t }) => t);
  return times.slice(1).map((t, i) => t - times[i]!);
}
