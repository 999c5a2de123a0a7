// SPDX-License-Identifier: Apache-2.0
// ELF core files (System V ABI, "ELF header", "Program header"; core(5)): 64 bits, little endian, ET_CORE,
// one or more of one memory; see snapshots.ts for what becomes of them. Pages are those that PT_LOAD segments
// of any of the files have bytes of (filesz), in order of address: p_paddr where a segment of the first file
// has one that is not 0 (QEMU's dump-guest-memory), else p_vaddr (gcore). Left out: registers and other
// notes; memory that was not dumped (from filesz to memsz), which would be zeros that nobody has seen.
import { LIMITS } from "../format.ts";
import type { Steps } from "../steps.ts";
import {
  bytesAt,
  type Imported,
  type Importer,
  type Input,
  latin,
  PAGE_BYTES,
  type Range,
  refuse,
  viewOf,
} from "./importer.ts";
import { type Snapshot, snapshotSteps } from "./snapshots.ts";

const HEADER_BYTES = 64;
const PROGRAM_BYTES = 56;
const SECTION_BYTES = 64;
const PN_XNUM = 0xffff;
const PT_LOAD = 1;
const ET_CORE = 4;
const SEGMENTS_MAX = 1 << 20;
const RANGES_MAX = 16_384;

/** A part of the memory; addresses in pages. */
interface Segment {
  readonly first: number;
  readonly pages: number;
  readonly offset: number;
  readonly fileBytes: number;
  /** Where its program header lies. */
  readonly at: number;
}

/** A program header as it stands, as numbers: an address above 2^53 is refused where it is used. */
interface Program {
  readonly at: number;
  readonly offset: bigint;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly fileBytes: bigint;
  readonly memoryBytes: bigint;
}

/** Number of program headers; where it does not fit its field it is in section 0 (PN_XNUM). */
function programCount(input: Input, header: DataView): number {
  const count = header.getUint16(56, true);
  if (count !== PN_XNUM) return count;
  const at = Number(header.getBigUint64(40, true));
  return viewOf(bytesAt(input, at, SECTION_BYTES, "section header 0")).getUint32(44, true);
}

function programsOf(input: Input): Program[] {
  const { name } = input;
  const bytes = bytesAt(input, 0, HEADER_BYTES, "the ELF header");
  const header = viewOf(bytes);
  if (latin(bytes.subarray(0, 4)) !== "\x7fELF")
    refuse(name, 0, "this is no ELF file; it must begin with 7f 45 4c 46");
  if (bytes[4] !== 2 || bytes[5] !== 1) refuse(name, 4, "only cores of 64 bits, little endian, are read");
  const type = header.getUint16(16, true);
  if (type !== ET_CORE) refuse(name, 16, `e_type is ${type}; a core has ${ET_CORE}`);
  const size = header.getUint16(54, true);
  if (size !== PROGRAM_BYTES) refuse(name, 54, `e_phentsize is ${size}; it must be ${PROGRAM_BYTES}`);
  const at = Number(header.getBigUint64(32, true));
  const count = programCount(input, header);
  if (count > SEGMENTS_MAX) refuse(name, 56, `${count} program headers; at most ${SEGMENTS_MAX}`);
  const view = viewOf(bytesAt(input, at, count * PROGRAM_BYTES, "the program headers"));
  const programs: Program[] = [];
  for (let k = 0; k < count; k++) {
    const o = k * PROGRAM_BYTES;
    if (view.getUint32(o, true) !== PT_LOAD) continue;
    const [offset, vaddr, paddr, fileBytes, memoryBytes] = [8, 16, 24, 32, 40].map((field) =>
      view.getBigUint64(o + field, true),
    ) as [bigint, bigint, bigint, bigint, bigint];
    programs.push({ at: at + o, offset, vaddr, paddr, fileBytes, memoryBytes });
  }
  return programs;
}

function segmentOf(input: Input, program: Program, physical: boolean): Segment {
  const { name, source } = input;
  const { at, offset, fileBytes, memoryBytes } = program;
  const address = physical ? program.paddr : program.vaddr;
  const page = BigInt(PAGE_BYTES);
  const hex = `0x${address.toString(16)}`;
  if (address % page !== 0n)
    refuse(name, at, `the segment at ${hex} does not begin at a page of ${PAGE_BYTES}`);
  if (fileBytes > memoryBytes) refuse(name, at + 32, `filesz ${fileBytes} is more than memsz ${memoryBytes}`);
  if (offset + fileBytes > BigInt(source.size)) {
    const what = `the segment at ${hex} ends at ${offset + fileBytes}, the file at ${source.size}`;
    refuse(name, source.size, `the file ends inside a segment: ${what}`);
  }
  const pages = (fileBytes + page - 1n) / page;
  if (address + memoryBytes > 2n ** 64n)
    refuse(name, at + 40, `the segment at ${hex} passes the last address`);
  return {
    first: Number(address / page),
    pages: Number(pages),
    offset: Number(offset),
    fileBytes: Number(fileBytes),
    at,
  };
}

/** Segments by address; none may lie over another. */
function segmentsOf(input: Input, programs: readonly Program[], physical: boolean): Segment[] {
  const segments = programs
    .map((program) => segmentOf(input, program, physical))
    .filter(({ pages }) => pages > 0)
    .sort((a, b) => a.first - b.first);
  segments.forEach((segment, k) => {
    const before = segments[k - 1];
    if (before === undefined || before.first + before.pages <= segment.first) return;
    const hex = `0x${(BigInt(segment.first) * BigInt(PAGE_BYTES)).toString(16)}`;
    refuse(input.name, segment.at, `the segment at ${hex} lies over the one before it`);
  });
  if (segments.length === 0)
    refuse(input.name, 32, "the core has no memory: no PT_LOAD segment with bytes in the file");
  return segments;
}

/** A run of addresses with pfns, in pages. */
interface Span {
  readonly pfn: number;
  readonly first: number;
  readonly pages: number;
}

/** Addresses that any of the files has, ascending. */
function spansOf(inputs: readonly Input[], all: readonly (readonly Segment[])[]): Span[] {
  const sorted = all.flat().sort((a, b) => a.first - b.first);
  const merged: { first: number; end: number }[] = [];
  for (const { first, pages } of sorted) {
    const last = merged[merged.length - 1];
    if (last === undefined || first > last.end) merged.push({ first, end: first + pages });
    else last.end = Math.max(last.end, first + pages);
  }
  const name = inputs[0]!.name;
  if (merged.length > RANGES_MAX)
    refuse(name, 32, `${merged.length} ranges of addresses; at most ${RANGES_MAX} fit the trace's metadata`);
  let pfn = 0;
  const spans = merged.map(({ first, end }) => {
    pfn += end - first;
    return { pfn: pfn - (end - first), first, pages: end - first };
  });
  if (pfn >= LIMITS.pages) refuse(name, 32, `${pfn} pages are too many; at most 2^32 - 1`);
  return spans;
}

/** The last of `list`, ascending by `key`, that is not above `value`. */
function lastUpTo<T>(list: readonly T[], key: (one: T) => number, value: number): T | undefined {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]!) <= value) low = middle + 1;
    else high = middle;
  }
  return list[low - 1];
}

function snapshotOf(input: Input, segments: readonly Segment[], spans: readonly Span[]): Snapshot {
  const find = (pfn: number): { segment: Segment; page: number } | null => {
    const span = lastUpTo(spans, (one) => one.pfn, pfn)!;
    const page = span.first + pfn - span.pfn;
    const segment = lastUpTo(segments, (one) => one.first, page);
    return segment === undefined || page >= segment.first + segment.pages ? null : { segment, page };
  };
  return {
    has: (pfn) => find(pfn) !== null,
    page(pfn) {
      const body = new Uint8Array(PAGE_BYTES);
      const found = find(pfn);
      if (found === null) return body;
      const from = (found.page - found.segment.first) * PAGE_BYTES;
      const length = Math.min(PAGE_BYTES, found.segment.fileBytes - from);
      if (length > 0) body.set(bytesAt(input, found.segment.offset + from, length, "a segment"));
      return body;
    },
  };
}

function* elfSteps(...[sink, inputs, options]: Parameters<Importer["steps"]>): Steps<Imported> {
  const programs = inputs.map(programsOf);
  const physical = programs[0]!.some(({ paddr }) => paddr !== 0n);
  const all = inputs.map((input, k) => segmentsOf(input, programs[k]!, physical));
  const spans = spansOf(inputs, all);
  const images = inputs.map((input, k) => snapshotOf(input, all[k]!, spans));
  const ranges = spans.map(
    ({ pfn, first, pages }): Range => [pfn, pages, `0x${(BigInt(first) * BigInt(PAGE_BYTES)).toString(16)}`],
  );
  const pages = spans.reduce((sum, span) => sum + span.pages, 0);
  const mapping = { pfn_mapping: ranges, addresses: physical ? "physical" : "virtual" };
  return yield* snapshotSteps("elf", sink, inputs, options, { pages, images, mapping });
}

export const elf: Importer = {
  kind: "elf",
  takes: "one or more ELF cores of one memory, in order of time",
  inputsMin: 1,
  inputsMax: 64,
  begins: (head) => latin(head.subarray(0, 4)) === "\x7fELF",
  steps: elfSteps,
};
