// SPDX-License-Identifier: Apache-2.0
// The RAM records of a QEMU migration stream, version 3 (QEMU 10.0, migration/savevm.c, ram.c, xbzrle.c;
// docs/devel/migration/main.rst). Big endian throughout:
//
//   "QEVM" u32 3
//   07 configuration: u32 length, name of the machine
//   08 command: u16 command, u16 length, bytes
//   01 section start, 04 full: u32 id, u8 length, name, u32 instance, u32 version, contents
//   02 section part, 03 section end: u32 id, contents        7e footer: u32 id
//   00 end of sections, 06 description of the devices: u32 length, JSON
//
// Contents of "ram" are records of a u64, whose low 12 bits are flags, the others an address:
//   04 sizes of blocks: address = their sum; u8 length, name, u64 bytes    10 end of the section
//   02 zero page: [block], u8 0       08 page: [block], 4096 bytes
//   40 XBZRLE page: [block], u8 1, u16 length, (uleb128 keep, uleb128 n, n bytes)*
//   [block] is u8 length, name; left out where flag 20 says that it is the block of the record before
//
// Refused by name: other flags (hooks, the old zlib pages, multifd, whose pages travel on other channels),
// sub-sections of the configuration (mapped-ram is one), other sections before the end of ram. Devices are
// passed over; that their description ends the file shows that they are whole.
import { bytesAt, type Input, latin, PAGE_BYTES, refuse, viewOf } from "./importer.ts";

const WINDOW_BYTES = 1 << 20;
const BLOCKS_MAX = 1024;
const MEMORY_BYTES_MAX = 2 ** 40;
const TYPE = {
  eof: 0,
  start: 1,
  part: 2,
  end: 3,
  full: 4,
  subsection: 5,
  devices: 6,
  configuration: 7,
  command: 8,
};
const FOOTER = 0x7e;
const FLAG = { zero: 0x02, sizes: 0x04, page: 0x08, eos: 0x10, same: 0x20, xbzrle: 0x40 };
const OTHER_FLAGS: Readonly<Record<number, string>> = {
  128: "a hook of RDMA",
  256: "a page of the old zlib compression",
  512: "a flush of multifd, whose pages travel on channels of their own",
};

/** A block of the guest's memory. */
export interface Block {
  readonly name: string;
  readonly firstPfn: number;
  readonly pages: number;
}

/** A page as it was sent. */
export interface PageRecord {
  readonly kind: "zero" | "page" | "xbzrle";
  readonly pfn: number;
  /** Offset of the page's bytes, or of its changes. */
  readonly at: number;
  readonly length: number;
}

/** Reads numbers and bytes one after the other. */
class Reader {
  at = 0;
  private from = 0;
  private window: Uint8Array = new Uint8Array(0);
  private readonly input: Input;

  constructor(input: Input) {
    this.input = input;
  }

  bytes(length: number, what: string): Uint8Array {
    const start = this.at - this.from;
    if (start < 0 || start + length > this.window.length) this.refill(length, what);
    const begin = this.at - this.from;
    this.at += length;
    return this.window.subarray(begin, begin + length);
  }

  u8(what: string): number {
    return this.bytes(1, what)[0]!;
  }
  u16(what: string): number {
    return viewOf(this.bytes(2, what)).getUint16(0);
  }
  u32(what: string): number {
    return viewOf(this.bytes(4, what)).getUint32(0);
  }
  text(length: number, what: string): string {
    return latin(this.bytes(length, what));
  }

  skip(length: number, what: string): void {
    if (this.at + length > this.input.source.size) this.refill(length, what);
    this.at += length;
  }

  private refill(length: number, what: string): void {
    const { source } = this.input;
    const wanted = Math.min(Math.max(WINDOW_BYTES, length), Math.max(length, source.size - this.at));
    this.window = bytesAt(this.input, this.at, wanted, what);
    this.from = this.at;
  }
}

/** One pass over the RAM part of a stream. All methods throw ImportError. */
export class QemuRecords {
  blocks: readonly Block[] = [];
  machine = "";
  private readonly input: Input;
  private readonly read: Reader;
  private readonly byName = new Map<string, Block>();
  private readonly sections = new Map<number, string>();
  private current: Block | null = null;

  constructor(input: Input) {
    this.input = input;
    this.read = new Reader(input);
  }

  /** Total of all blocks. */
  get pages(): number {
    return this.blocks.reduce((sum, { pages }) => sum + pages, 0);
  }

  /** Every page in the order in which it was sent; returns when the end of ram and of the file are proven. */
  *records(): Generator<PageRecord> {
    const { read } = this;
    if (read.text(4, "the magic") !== "QEVM")
      this.refuse(0, "this is no migration stream; it must begin with QEVM");
    const version = read.u32("the version");
    if (version !== 3) this.refuse(4, `version ${version} of the stream is not known; known is 3`);
    for (;;) {
      const at = read.at;
      const type = read.u8("a section's type");
      if (type === TYPE.configuration) this.machine = read.text(read.u32("a length"), "the configuration");
      else if (type === TYPE.command) this.command();
      else if (type === TYPE.start || type === TYPE.part || type === TYPE.end) {
        const id = this.section(type, at);
        yield* this.contents();
        if (type !== TYPE.end) this.footer(id);
        else return this.finish(id);
      } else if (type === TYPE.eof) this.refuse(at, "the stream ends before the end of its ram section");
      else if (type === TYPE.subsection) this.refuse(at, "sub-sections of the configuration are not read");
      else if (type === TYPE.full) this.refuse(at, "a device stands before the end of the ram section");
      else this.refuse(at, `section type 0x${type.toString(16)} is not known`);
    }
  }

  private refuse(at: number, reason: string): never {
    return refuse(this.input.name, at, reason);
  }

  private command(): void {
    this.read.skip(2, "a command");
    this.read.skip(this.read.u16("a command's length"), "a command");
  }

  /** Header of a section of ram. */
  private section(type: number, at: number): number {
    const { read } = this;
    const id = read.u32("a section's id");
    if (type !== TYPE.start) {
      if (!this.sections.has(id)) this.refuse(at, `section ${id} goes on without a beginning`);
      return id;
    }
    const name = read.text(read.u8("a name's length"), "a section's name");
    if (name !== "ram") this.refuse(at, `section "${name}" stands before the end of ram; only ram is read`);
    read.skip(4, "a section's instance");
    const version = read.u32("a section's version");
    if (version !== 4) this.refuse(at, `version ${version} of the ram section is not known; known is 4`);
    if (this.sections.size > 0) this.refuse(at, "a second ram section begins");
    this.sections.set(id, name);
    return id;
  }

  private footer(id: number): void {
    const at = this.read.at;
    const found = this.read.u8("a section's footer");
    if (found !== FOOTER) this.refuse(at, `a footer (7e) is expected, not 0x${found.toString(16)}`);
    const named = this.read.u32("a section's footer");
    if (named !== id) this.refuse(at, `the footer names section ${named}, not ${id}`);
  }

  private *contents(): Generator<PageRecord> {
    const { read } = this;
    for (;;) {
      const at = read.at;
      const view = viewOf(read.bytes(8, "a record of ram"));
      const low = view.getUint32(4);
      const flags = low & 0xfff;
      const address = view.getUint32(0) * 2 ** 32 + (low - flags);
      if (flags === FLAG.eos) return;
      if (flags === FLAG.sizes) this.sizes(at, address);
      else yield this.page(at, address, flags);
    }
  }

  private sizes(at: number, total: number): void {
    const { read } = this;
    if (this.blocks.length > 0) this.refuse(at, "the sizes of the blocks are given twice");
    if (total > MEMORY_BYTES_MAX) this.refuse(at, `the blocks have ${total} bytes; at most 1 TiB are read`);
    const blocks: Block[] = [];
    let firstPfn = 0;
    while (firstPfn * PAGE_BYTES < total) {
      const where = read.at;
      const name = read.text(read.u8("a name's length"), "a block's name");
      const view = viewOf(read.bytes(8, "a block's size"));
      const bytes = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
      const pages = bytes / PAGE_BYTES;
      const left = total - firstPfn * PAGE_BYTES;
      if (!(Number.isInteger(pages) && pages > 0 && bytes <= left))
        this.refuse(
          where,
          `block "${name}" has ${bytes} bytes of ${left} that are left; pages of ${PAGE_BYTES} are read`,
        );
      if (this.byName.has(name)) this.refuse(where, `block "${name}" is there twice`);
      if (blocks.length >= BLOCKS_MAX) this.refuse(where, `more than ${BLOCKS_MAX} blocks`);
      const block = { name, firstPfn, pages };
      this.byName.set(name, block);
      blocks.push(block);
      firstPfn += pages;
    }
    if (firstPfn === 0) this.refuse(at, "the guest has no memory: the sum of its blocks is 0");
    this.blocks = blocks;
  }

  private page(at: number, address: number, flags: number): PageRecord {
    const { read } = this;
    const kind = flags & ~FLAG.same;
    if (kind !== FLAG.zero && kind !== FLAG.page && kind !== FLAG.xbzrle) {
      const why = OTHER_FLAGS[kind] ?? "not known";
      this.refuse(
        at,
        `the record's flags 0x${flags.toString(16)} are ${why}; zero, whole and XBZRLE pages are read`,
      );
    }
    if ((flags & FLAG.same) === 0) {
      const name = read.text(read.u8("a name's length"), "a block's name");
      const block = this.byName.get(name);
      if (block === undefined) this.refuse(at, `block "${name}" is not among those whose sizes were given`);
      this.current = block;
    }
    const block = this.current;
    if (block === null) this.refuse(at, "the record names no block, and none was named before");
    const page = address / PAGE_BYTES;
    if (page >= block.pages)
      this.refuse(at, `page ${page} is outside block "${block.name}" of ${block.pages} pages`);
    const pfn = block.firstPfn + page;
    if (kind === FLAG.zero) {
      const fill = read.u8("a zero page");
      if (fill !== 0)
        this.refuse(read.at - 1, `the page is filled with 0x${fill.toString(16)}; only 0 is sent so`);
      return { kind: "zero", pfn, at: read.at, length: 0 };
    }
    let length = PAGE_BYTES;
    if (kind === FLAG.xbzrle) {
      const encoding = read.u8("an XBZRLE page");
      if (encoding !== 1) this.refuse(read.at - 1, `XBZRLE encoding ${encoding} is not known; known is 1`);
      length = read.u16("an XBZRLE page");
    }
    const record = { kind: kind === FLAG.page ? "page" : "xbzrle", pfn, at: read.at, length } as const;
    read.skip(length, kind === FLAG.page ? "a page" : "an XBZRLE page");
    return record;
  }

  /** Behind the end of ram: nothing but the end of sections, or devices whose description ends the file. */
  private finish(id: number): void {
    const { read, input } = this;
    this.footer(id);
    const { size } = input.source;
    if (this.blocks.length === 0)
      this.refuse(read.at, "the ram section ends without the sizes of its blocks");
    const first = read.u8("what follows the ram section");
    if (first === TYPE.eof && read.at === size) return;
    if (endsWithDescription(input, read.at)) return;
    this.refuse(
      size,
      "the file ends before the description of its devices: the stream is cut, or something follows it",
    );
  }
}

/** Whether the file ends with `06 u32 length {…}` at or behind `from`: where JSON begins, its length is. */
function endsWithDescription(input: Input, from: number): boolean {
  const { size } = input.source;
  const start = Math.max(from, size - (8 << 20));
  const tail = bytesAt(input, start, size - start, "its contents");
  const view = viewOf(tail);
  if (tail[tail.length - 1] !== 0x7d) return false;
  for (let at = tail.length - 6; at >= 0; at--) {
    if (
      tail[at] === TYPE.devices &&
      tail[at + 5] === 0x7b &&
      view.getUint32(at + 1) === tail.length - at - 5
    ) {
      return true;
    }
  }
  return false;
}
