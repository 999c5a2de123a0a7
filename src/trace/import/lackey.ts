// SPDX-License-Identifier: Apache-2.0
// Text of `valgrind --tool=lackey --trace-mem=yes` (Valgrind manual, "Lackey: an example tool"): a line an
// access, `I  addr,size` an instruction fetched, ` L` a load, ` S` a store, ` M` both. What is written is a
// page write, what is fetched or loaded a read (READ chunks). The n-th instruction and its accesses are at
// n / rate; the rate is *assumed*. Pages get pfns in order of address. Two passes: one for the addresses.
// Lackey's own lines (==PID==) must then be whole: "guest instrs" is the number of I lines.
// Left out: contents; memory that the program never touches; system calls that write to memory.
import { LIMITS } from "../format.ts";
import { MdtWriter } from "../mdt-writer.ts";
import type { TraceSink } from "../sink.ts";
import type { Steps } from "../steps.ts";
import { EpochGatherer, TIME_US_MAX } from "./epochs.ts";
import {
  type Imported,
  type Importer,
  type ImportOptions,
  type Input,
  latin,
  PAGE_BYTES,
  PAGE_SHIFT,
  provenance,
  type Range,
} from "./importer.ts";
import { eachLine, type Line, refuseLine } from "./lines.ts";

const EPOCH_US = 20_000;
const ACCESS = /^(I | L| S| M) ([0-9a-f]{1,13}),(\d{1,5})$/;
const RANGES_MAX = 16_384;

/** An access: first and last page by address, and whether they are read and written. */
interface Access {
  readonly first: number;
  readonly last: number;
  readonly kind: string;
}

/** What Lackey says of itself. */
class Banner {
  private process = "";
  private instructions: number | null = null;
  private ended = false;

  take(name: string, line: Line): void {
    const [, process = "", text = ""] = /^(?:==|--)(\d+)(?:==|--) ?(.*)$/.exec(line.text) ?? [];
    if (process === "") {
      refuseLine(name, line, "this is no line of lackey (I, L, S, M or ==PID==); record with --log-file");
    }
    if (this.process !== "" && process !== this.process) {
      refuseLine(name, line, `process ${process} begins within ${this.process}; give one process a file`);
    }
    this.process = process;
    const [, count] = /^ *guest instrs: +([\d,]+)$/.exec(text) ?? [];
    if (count !== undefined) this.instructions = Number(count.replaceAll(",", ""));
    if (text.startsWith("Exit code:")) this.ended = true;
  }

  check(name: string, end: Omit<Line, "text">, instructions: number): void {
    if (this.process === "") return;
    if (!this.ended) refuseLine(name, end, 'the file ends before lackey\'s last line, "Exit code"');
    if (this.instructions === null || this.instructions === instructions) return;
    const what = `lackey counted ${this.instructions} guest instrs, the file has ${instructions} I lines`;
    refuseLine(name, end, `${what}: lines are missing`);
  }
}

function accessOf(name: string, line: Line, banner: Banner): Access | null {
  const found = ACCESS.exec(line.text);
  if (found === null) {
    banner.take(name, line);
    return null;
  }
  const address = Number.parseInt(found[2]!, 16);
  const size = Number(found[3]);
  if (size === 0) refuseLine(name, line, "the access has a size of 0");
  const first = Math.floor(address / PAGE_BYTES);
  return { first, last: Math.floor((address + size - 1) / PAGE_BYTES), kind: found[1]! };
}

/** The pages of the whole file, ascending by address. */
function* pagesOf(input: Input): Steps<number[]> {
  const pages = new Set<number>();
  const banner = new Banner();
  let instructions = 0;
  let end = { number: 1, at: 0 };
  yield* eachLine(input, (line) => {
    end = line;
    const access = accessOf(input.name, line, banner);
    if (access === null) return;
    if (access.kind === "I ") instructions++;
    for (let page = access.first; page <= access.last; page++) pages.add(page);
    if (pages.size <= LIMITS.shadowPages) return;
    refuseLine(input.name, line, `more than ${LIMITS.shadowPages} pages are touched; that is the limit`);
  });
  banner.check(input.name, end, instructions);
  if (pages.size === 0) refuseLine(input.name, end, "the file has no access");
  return [...pages].sort((a, b) => a - b);
}

/** Runs of pages at consecutive addresses. */
function rangesOf(pages: readonly number[]): Range[] {
  const ranges: Range[] = [];
  for (let first = 0; first < pages.length; ) {
    let end = first + 1;
    while (end < pages.length && pages[end] === pages[end - 1]! + 1) end++;
    ranges.push([first, end - first, `0x${(pages[first]! * PAGE_BYTES).toString(16)}`]);
    first = end;
  }
  return ranges;
}

/** Microseconds of the n-th instruction, rounded down. */
function timeUs(n: number, perSecond: number): number {
  return Math.floor(n / perSecond) * 1e6 + Math.floor(((n % perSecond) * 1e6) / perSecond);
}

function* lackeySteps(sink: TraceSink, input: Input, options: ImportOptions): Steps<Imported> {
  const epochUs = options.epochUs ?? EPOCH_US;
  const { instructionsPerSecond: rate } = options;
  const pages = yield* pagesOf(input);
  const ranges = rangesOf(pages);
  if (ranges.length > RANGES_MAX) {
    const what = `${ranges.length} ranges of addresses are touched`;
    refuseLine(input.name, { number: 1, at: 0 }, `${what}; at most ${RANGES_MAX} fit the trace's metadata`);
  }
  const metadata = yield* provenance("lackey", [input], options.tool, {
    pfn_mapping: ranges,
    clock: `instructions at ${rate} a second (assumed)`,
  });
  const shape = { pages: pages.length, pageShift: PAGE_SHIFT, contents: "none" } as const;
  const rest = { nominalEpochNs: epochUs * 1000, metadata, deltas: false, compress: true };
  const writer = new MdtWriter(sink, { ...shape, ...rest });
  const pfns = new Map(pages.map((page, pfn) => [page, pfn]));
  const epochs = new EpochGatherer(writer, epochUs);
  const banner = new Banner();
  let instructions = 0;
  yield* eachLine(input, (line) => {
    const access = accessOf(input.name, line, banner);
    if (access === null) return;
    if (access.kind === "I ") {
      const nowUs = timeUs(++instructions, rate);
      if (nowUs > TIME_US_MAX) refuseLine(input.name, line, "passes 2.5 h; write a higher --instructions");
      epochs.at(nowUs);
    }
    for (let page = access.first; page <= access.last; page++) {
      const pfn = pfns.get(page)!;
      if (access.kind !== " S") epochs.reads(pfn);
      if (access.kind === " S" || access.kind === " M") epochs.write(pfn);
    }
  });
  epochs.finish();
  const { bytes, counts } = { bytes: yield* writer.finishSteps(), counts: epochs.counts };
  return { bytes, contents: "none", ...counts, pages: pages.length };
}

export const lackey: Importer = {
  kind: "lackey",
  takes: "one file of valgrind --tool=lackey --trace-mem=yes --log-file=FILE",
  inputsMin: 1,
  inputsMax: 1,
  begins: (head) => /^==\d+== Lackey, an example Valgrind tool/.test(latin(head)),
  steps: (sink, inputs, options) => lackeySteps(sink, inputs[0]!, options),
};
