// SPDX-License-Identifier: Apache-2.0
// A recorded migration whose card scans the bitmap itself against the slow one: each write's mark, each word,
// each request and page found, to the tick.
import * as abi from "../../assembly/abi.ts";
import { sameLists } from "./reference/compare.ts";
import type { LinkRun } from "./reference/pcie-run.ts";
import { type Around, type Did, type Marking, SlowMarks, SlowScanner } from "./reference/scanner.ts";
import { type Happening, of, type Run } from "./timeline.ts";

const BITMAP_AT = 0x4003_0000_0000;
const WORD_BYTES = 8;
const READ_PORT = abi.PORT_READ + abi.R_TENANT;
const POSTED_PORT = abi.PORT_POSTED + abi.R_TENANT;
const PORT_PLACES = 8;
const FOUND_PLACES = 256;
/** At one time memory comes first, then the front-end, then the guest. */
const RANK = { read: 0, swap: 0, zero: 0, start: 1, flush: 1, write: 2 };

const steps = (run: Run, which: number): Happening[] =>
  of(run, abi.T_SCAN, 0).filter((e) => e.which === which);
const pages = (run: Run, which: number): Happening[] =>
  of(run, abi.T_PAGE, 0).filter((e) => e.which === which);

/** Page numbers of a word's marks, given in halves. */
function inWord(word: number, lower: number, upper: number): number[] {
  const marks = (BigInt(upper) << 32n) | BigInt(lower);
  return [...Array(64).keys()]
    .filter((bit) => ((marks >> BigInt(bit)) & 1n) === 1n)
    .map((bit) => word * 64 + bit);
}

function markings(run: Run): Marking[] {
  const setup = Number(run.core.logged(abi.L_SETUP_DONE));
  const { global, sides } = run.params;
  const p = sides[0];
  // every page is protected, one flush, a word of the bitmap after the other is set
  const words = 32 * Math.ceil(global[abi.G_PAGES]! / 2048);
  const starting = global[abi.G_PAGES]! * p[abi.S_HOST_PROTECT_PAGE]! + words * p[abi.S_HOST_WORD]!;
  const all: Marking[] = [{ what: "start", at: setup - starting - p[abi.S_HOST_TLB_FLUSH]! }];
  for (const e of of(run, abi.T_SCAN, 0)) {
    if (e.which === abi.SC_SERVED) all.push({ what: "read", at: e.t, first: e.a, words: e.b });
    if (e.which === abi.SC_TAKEN) all.push({ what: "swap", at: e.t, word: e.a });
    if (e.which === abi.SC_ZEROED) all.push({ what: "zero", at: e.t, word: e.a });
    if (e.which === abi.SC_FLUSHED) all.push({ what: "flush", at: e.t });
  }
  for (const { t, a } of pages(run, abi.P_WRITTEN)) all.push({ what: "write", at: t, pfn: a });
  return all
    .map((one, i) => ({ one, i }))
    .sort((x, y) => x.one.at - y.one.at || RANK[x.one.what] - RANK[y.one.what] || x.i - y.i)
    .map(({ one }) => one);
}

/** Marks of every write, and what each request found. */
function checkMarks(run: Run): SlowMarks {
  const slow = new SlowMarks(run.params.global[abi.G_PAGES]!).run(markings(run));
  const written = pages(run, abi.P_WRITTEN).map(({ c }) => c === 1);
  sameLists("mark of a write", written, slow.marks);
  const taken = of(run, abi.T_SCAN, 0).filter(
    ({ which }) => which === abi.SC_TAKEN || which === abi.SC_ZEROED,
  );
  sameLists(
    "word taken",
    taken.map(({ a, b, c }) => inWord(a, b, c)),
    slow.taken,
  );
  return slow;
}

/** Requests of the scanner, each with the tag that it went under and when that was answered. */
function requestsOf(run: Run): { put: Happening; answeredAt: number }[] {
  const puts = of(run, abi.T_PUT, 0).filter(({ which }) => which === READ_PORT);
  const sent = of(run, abi.T_TLP, 0).filter(({ which }) => which === READ_PORT);
  const answers = of(run, abi.T_ANSWER, 0).filter(({ which }) => which === abi.R_SCAN);
  return puts
    .map((put, i) => ({ put, tlp: sent[i] }))
    .filter(({ put }) => put.b >= BITMAP_AT)
    .map(({ put, tlp }) => {
      const answer = tlp === undefined ? undefined : answers.find(({ t, a }) => t > tlp.t && a === tlp.c);
      return { put, answeredAt: answer?.t ?? Infinity };
    });
}

/** Pages that wait behind the scanner are taken by the handler of descriptors when it begins. */
function foundTaken(run: Run): { at: number; upTo: number }[] {
  const found = pages(run, abi.P_FOUND);
  let next = 0;
  return of(run, abi.T_STAGE, 0)
    .filter(({ which, c }) => which === abi.U_CONTROL && c === abi.F_DESCRIPTORS)
    .map(({ t, a }) => {
      const first = found.findIndex((e, i) => i >= next && e.b === a);
      next = first + 1;
      return { at: t, first };
    })
    .map(({ at }, i, list) => ({ at, upTo: list[i + 1]?.first ?? found.length }));
}

/** How many of some times, in order, are before one that does not go back. */
function countBefore(times: readonly number[]): (t: number) => number {
  let n = 0;
  return (t) => {
    while (n < times.length && times[n]! < t) n++;
    return n;
  };
}

function aroundOf(run: Run, slow: SlowMarks): Around {
  const p = run.params.sides[0];
  const [num, den] = [BigInt(p[abi.S_CARD_NUM]!), BigInt(p[abi.S_CARD_DEN]!)];
  const edge = (k: bigint): number => Number((k * num + den - 1n) / den);
  const requests = requestsOf(run);
  const served = of(run, abi.T_SCAN, 0).filter(({ which }) => which === abi.SC_SERVED);
  const swaps = steps(run, abi.SC_TAKEN);
  const heard = new Set(steps(run, abi.SC_HEARD).map(({ t }) => t));
  const taken = foundTaken(run);
  const timesOf = (kind: number, port: number, at: (e: Happening) => number): ((t: number) => number) =>
    countBefore(
      of(run, kind, 0)
        .filter(({ which }) => which === port)
        .map(at),
    );
  const occupied = Object.fromEntries(
    [READ_PORT, POSTED_PORT].map((port) => {
      const put = timesOf(abi.T_PUT, port, ({ c }) => c);
      const gone = timesOf(abi.T_TLP, port, ({ t }) => t);
      return [port, (t: number): number => put(t) - gone(t)];
    }),
  );
  const begun = countBefore(taken.map(({ at }) => at));
  // of equal words the request that was put later is served later: passes follow each other
  const seen = requests.map(({ put }, k) => {
    const word = (put.b - BITMAP_AT) / WORD_BYTES;
    const before = requests
      .slice(0, k)
      .filter((r) => r.put.b === put.b && (r.put.a === 8) === (put.a === 8)).length;
    if (put.a === WORD_BYTES) {
      const i = swaps.findIndex(
        (e, at) => e.a === word && swaps.slice(0, at).filter((x) => x.a === word).length === before,
      );
      return slow.taken[i] ?? [];
    }
    const i = served.findIndex(
      (e, at) => e.a === word && served.slice(0, at).filter((x) => x.a === word).length === before,
    );
    return slow.reads[i] ?? [];
  });
  return {
    edgeAfter: (t) => {
      let k = (BigInt(t) * den) / num;
      while (edge(k) <= t) k++;
      return edge(k);
    },
    answeredAt: (k) => requests[k]?.answeredAt ?? Infinity,
    pagesOf: (k) => seen[k] ?? [],
    room: (port, t) => PORT_PLACES - occupied[port === "read" ? READ_PORT : POSTED_PORT]!(t),
    foundRoom: (t, found) => FOUND_PLACES - found + Math.min(found, taken[begun(t) - 1]?.upTo ?? 0),
    hears: (t) => heard.has(t),
  };
}

function didOf(run: Run): Did[] {
  const did: (Did & { rank: number })[] = [];
  for (const e of of(run, abi.T_PUT, 0)) {
    if (e.b < BITMAP_AT || (e.which !== READ_PORT && e.which !== POSTED_PORT)) continue;
    const what = e.which === POSTED_PORT ? "zero" : e.a === WORD_BYTES ? "swap" : "read";
    did.push({ at: e.c, what, n: (e.b - BITMAP_AT) / WORD_BYTES, rank: 1 });
  }
  for (const { t, a } of pages(run, abi.P_FOUND)) did.push({ at: t, what: "page", n: a, rank: 0 });
  for (const { t, b } of steps(run, abi.SC_ENDED)) did.push({ at: t, what: "end", n: b, rank: 2 });
  return did.sort((x, y) => x.at - y.at || x.rank - y.rank).map(({ at, what, n }) => ({ at, what, n }));
}

/** A flush is over when the front-end begins to tell of it: its doorbell rings a message and a copy later. */
function checkFlushes(run: Run): void {
  const p = run.params.sides[0];
  const copy = Math.ceil((16 * p[abi.S_HOST_COPY_NUM]!) / p[abi.S_HOST_COPY_DEN]!);
  const rung = of(run, abi.T_PUT, 0).filter(({ which }) => which === abi.PORT_DOORBELL);
  for (const { t } of steps(run, abi.SC_FLUSHED)) {
    const leaves = t + p[abi.S_HOST_MESSAGE]! + copy + abi.TICKS_PER_NS;
    if (!rung.some((e) => e.t === leaves))
      throw new Error(`flushed at ${t}, no doorbell leaves at ${leaves}`);
  }
}

/** Throws where a run and the slow scanner differ; returns how much was compared. */
export function checkScan(run: Run, link: LinkRun): number {
  const slow = checkMarks(run);
  const { global, sides } = run.params;
  const p = sides[0];
  const served = of(run, abi.T_SCAN, 0).filter(
    ({ which }) => which === abi.SC_SERVED || which === abi.SC_TAKEN,
  );
  const times = [...link.scanned];
  sameLists(
    "time at which memory has words",
    served.map(({ t }) => t),
    times.sort((a, b) => a - b),
  );
  const passes = steps(run, abi.SC_BEGUN).map(({ t, a, c }) => ({ at: t, counts: a === 1, last: c === 1 }));
  const shape = {
    words: 32 * Math.ceil(global[abi.G_PAGES]! / 2048),
    each: p[abi.S_SCANNER_WORDS]!,
    mrrs: p[abi.S_PCIE_MRRS]!,
    rcb: p[abi.S_PCIE_RCB]!,
    tags: p[abi.S_SCAN_TAGS]!,
    bufferBytes: Math.floor(p[abi.S_PCIE_CPL_BYTES]! / 8),
    bufferHeaders: Math.floor(p[abi.S_PCIE_CPL_HEADERS]! / 8),
    batch: global[abi.G_SCAN_WORDS]!,
    flushes: global[abi.G_SCAN_FLUSH] === 1,
    zeroes: global[abi.G_SCAN_CLEAR] === abi.SCAN_WRITE_ZERO,
  };
  const did = new SlowScanner(shape, aroundOf(run, slow)).run(passes);
  const compared = sameLists("step of the scanner", didOf(run), did);
  checkFlushes(run);
  return compared;
}
