// SPDX-License-Identifier: Apache-2.0
/**
 * The cores of a control processor with stages of pages on them, written from docs/model.md section 18: list
 * scheduling, an edge of the control clock after another, all jobs looked through each time. Given are which
 * jobs there are, the handlers of the firmware, when pages have been read, and what their contents are; it
 * says when each stage begins and ends. Of device state, whose sizes leave no trace, the lengths of jobs that
 * depend on contents are taken as seen.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Happening } from "../timeline.ts";

/** A stage of a job on a core: when it began and ended. */
export interface CoreJob {
  stage: number;
  index: number;
  pfn: number;
  from: number;
  to: number;
}

interface Seen extends CoreJob {
  kind: number;
  /** When it could be seen, or the stage that came before it. */
  after: number | Seen;
}

const DEVICE = 3;
const PAGE_KINDS = [1, 2];
const KIB = 1024;

/** Who is taken first. */
const ORDER = [
  abi.F_STAGE_SEAL,
  abi.F_STAGE_UNLZ,
  abi.F_STAGE_OPEN,
  abi.F_STAGE_COMPRESS,
  abi.F_STAGE_ZERO,
] as readonly number[];

/** The edge n cycles after the first one at or after t, of the clock at `at` in the block. */
export function edge(p: readonly number[], at: number, t: number, n = 0): number {
  const [num, den] = [BigInt(p[at]!), BigInt(p[at + 1]!)];
  let k = (BigInt(t) * den) / num;
  while ((k * num + den - 1n) / den < BigInt(t)) k++;
  return Number(((k + BigInt(n)) * num + den - 1n) / den);
}

const isPage = (e: Happening, step: number, pfn: number): boolean =>
  e.kind === abi.T_PAGE && e.which === step && e.a === pfn;

/** The last of the events that fit, of those that are recorded before `at`. */
function latest(
  events: readonly Happening[],
  at: number,
  fits: (e: Happening) => boolean,
): Happening | undefined {
  return events.slice(0, at).findLast(fits);
}

/** Stages on the cores of a side as the run recorded them, each with what came before it. */
function seenStages(p: readonly number[], events: readonly Happening[], side: number): Seen[] {
  const seen: Seen[] = [];
  const next = (t: number): number => edge(p, abi.S_CARD_NUM, t + 1);
  const last = (index: number, stage: number): Seen | undefined =>
    seen.findLast((one) => one.index === index && one.stage === stage);
  for (const [i, e] of events.entries()) {
    if (e.kind !== abi.T_STAGE || e.side !== side || e.which !== abi.U_CONTROL || e.c < abi.F_STAGE) continue;
    const { a: pfn, c: kind } = events[i + 1]!;
    const page = (step: number, fits = (_: Happening) => true): number | undefined => {
      const found = latest(events, i, (one) => one.side === side && isPage(one, step, pfn) && fits(one));
      return found === undefined ? undefined : found.t;
    };
    const job = { stage: e.c, index: e.a, pfn, kind, from: e.t, to: e.b };
    let after: number | Seen | undefined;
    if (
      kind === DEVICE &&
      (e.c === abi.F_STAGE_ZERO || (e.c === abi.F_STAGE_COMPRESS && !onCores(p, abi.STAGE_ZERO)))
    )
      after = e.t;
    else if (e.c === abi.F_STAGE_ZERO) after = next(page(abi.P_READ)!);
    else if (e.c === abi.F_STAGE_COMPRESS)
      after = onCores(p, abi.STAGE_ZERO) ? last(e.a, abi.F_STAGE_ZERO) : next(page(abi.P_SORTED)!);
    else if (e.c === abi.F_STAGE_UNLZ) {
      const opened = page(abi.P_OUT, (one) => one.b === abi.U_OPEN);
      after = onCores(p, abi.STAGE_CRYPT) ? last(e.a, abi.F_STAGE_OPEN) : kind === DEVICE ? e.t : opened;
    } else {
      const made = latest(
        events,
        i,
        (one) =>
          one.kind === abi.T_STAGE &&
          one.side === side &&
          one.which === abi.U_CONTROL &&
          one.c === abi.F_PAGE_RECORD &&
          one.a === e.a,
      );
      after = next(made!.b);
    }
    if (after === undefined) throw new Error(`nothing comes before stage ${e.c} of job ${e.a}`);
    seen.push({ ...job, after });
  }
  return seen;
}

const onCores = (p: readonly number[], bit: number): boolean => (p[abi.S_CORE_STAGES]! & bit) !== 0;

/** Cycles of a job; null where only the run knows. */
function cyclesOf(p: readonly number[], events: readonly Happening[], job: Seen): number | null {
  const cost = (key: number, bytes: number): number =>
    Math.max(1, p[abi.S_CORE_JOB]! + Math.ceil((bytes * p[key]!) / KIB));
  if (job.stage === abi.F_STAGE_ZERO) {
    if (job.kind === DEVICE) return cost(abi.S_CORE_ZERO, 0);
    const sorted = events.find((e) => isPage(e, abi.P_SORTED, job.pfn) && e.t > job.from)!;
    return cost(abi.S_CORE_ZERO, sorted.b === 1 ? abi.PAGE_BYTES : 64);
  }
  if (job.stage === abi.F_STAGE_UNLZ) return cost(abi.S_CORE_UNLZ, abi.PAGE_BYTES);
  if (job.kind === DEVICE) return null;
  const coded =
    events.findLast((e) => isPage(e, abi.P_CODED, job.pfn) && e.t <= job.from)?.b ?? abi.PAGE_BYTES;
  const size = job.kind === PAGE_KINDS[0] ? coded : 0;
  if (job.stage !== abi.F_STAGE_COMPRESS) return cost(abi.S_CORE_GCM, abi.RECORD_HEADER_BYTES + size);
  return cost(size === abi.PAGE_BYTES ? abi.S_CORE_LZ_RAW : abi.S_CORE_LZ, abi.PAGE_BYTES);
}

/** Every stage of a side as it was seen, and as it should have been. */
export function stagesOf(
  p: readonly number[],
  events: readonly Happening[],
  side: number,
): { seen: CoreJob[]; predicted: CoreJob[] } {
  const jobs = seenStages(p, events, side);
  const ends = new Map<Seen, number>();
  const readyAt = ({ after }: Seen): number => {
    if (typeof after === "number") return after;
    const end = ends.get(after);
    return end === undefined ? Number.POSITIVE_INFINITY : edge(p, abi.S_CARD_NUM, end + 1);
  };
  const handlers = events.filter(
    (e) => e.kind === abi.T_STAGE && e.side === side && e.which === abi.U_CONTROL && e.c < abi.F_STAGE,
  );
  const cores: number[] = new Array(p[abi.S_CORES]!).fill(0);
  const predicted: CoreJob[] = [];
  const waiting = new Set(jobs);
  let t = -1;
  while (waiting.size > 0) {
    const times = [...[...waiting].map(readyAt), ...cores, ...handlers.map((e) => e.t)];
    // nothing happens between two of these
    const next = Math.min(...times.filter((time) => time > t));
    if (!Number.isFinite(next)) throw new Error(`${waiting.size} stages are never ready`);
    t = edge(p, abi.S_CTL_NUM, next);
    const idle = (): number => cores.findIndex((end) => end <= t);
    for (const e of handlers.filter((one) => one.t === t)) {
      if (idle() < 0) throw new Error(`no core for a handler at ${t}`);
      cores[idle()] = e.b;
    }
    for (const stage of ORDER) {
      const mine = [...waiting].filter((job) => job.stage === stage && readyAt(job) <= t);
      mine.sort((a, b) => readyAt(a) - readyAt(b) || a.from - b.from);
      for (const job of mine) {
        if (idle() < 0) break;
        const cycles = cyclesOf(p, events, job);
        const to = cycles === null ? t + job.to - job.from : edge(p, abi.S_CTL_NUM, t, cycles);
        cores[idle()] = to;
        ends.set(job, to);
        waiting.delete(job);
        predicted.push({ stage, index: job.index, pfn: job.pfn, from: t, to });
      }
    }
  }
  const seen = jobs.map(({ stage, index, pfn, from, to }) => ({ stage, index, pfn, from, to }));
  return { seen, predicted };
}
