// SPDX-License-Identifier: Apache-2.0
// Files of other programs, written the slow way, byte by byte, from the formats' descriptions: QEMU's stream,
// XBZRLE, ELF cores. And what an importer must make of writes at points in time. Shares no code with src/.

export const PAGE = 4096;

/** A page as it is sent: zero, whole, or as XBZRLE against what was sent before. */
export interface Send {
  readonly block: number;
  readonly page: number;
  readonly how: "zero" | "whole" | "xbzrle";
  readonly body: Buffer;
}

export interface SlowBlock {
  readonly name: string;
  readonly pages: number;
}

const big = (bytes: number, value: bigint | number): Buffer => {
  const out = Buffer.alloc(bytes);
  let rest = BigInt(value);
  for (let k = bytes - 1; k >= 0; k--, rest >>= 8n) out[k] = Number(rest & 255n);
  return out;
};
const named = (name: string): Buffer => Buffer.concat([big(1, name.length), Buffer.from(name)]);

function uleb(value: number): Buffer {
  return value < 128 ? Buffer.of(value) : Buffer.of((value & 127) | 128, value >> 7);
}

/** XBZRLE: alternating runs of equal and of other bytes; the last run of equal bytes is left out. */
export function slowXbzrle(before: Buffer, after: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const equal = at;
    while (at < PAGE && before[at] === after[at]) at++;
    if (at === PAGE) return Buffer.concat(parts);
    const other = at;
    while (at < PAGE && before[at] !== after[at]) at++;
    parts.push(uleb(other - equal), uleb(at - other), after.subarray(other, at));
  }
}

/** How a stream is written; every field may be a lie. */
export interface StreamSpec {
  readonly blocks: readonly SlowBlock[];
  /** Sections of sends; the first is the start's, the last the end's. */
  readonly sections: readonly (readonly Send[])[];
  /** What follows the last footer; the end of sections by default. */
  readonly after?: Buffer;
  readonly magic?: string;
  readonly version?: number;
  readonly total?: number;
  readonly ramVersion?: number;
}

/** The stream, the offset of each record of ram, and of each page's bytes. */
export interface SlowStream {
  readonly bytes: Buffer;
  readonly records: readonly number[];
  /** [offset of the bytes of a page, of its changes, or behind the 0 of a zero page, and the send]. */
  readonly sends: readonly (readonly [at: number, send: Send])[];
}

export function slowStream(spec: StreamSpec): SlowStream {
  const parts: Buffer[] = [];
  let at = 0;
  const put = (...more: Buffer[]): void => {
    for (const part of more) {
      parts.push(part);
      at += part.length;
    }
  };
  const records: number[] = [];
  const record = (...more: Buffer[]): void => {
    records.push(at);
    put(...more);
  };
  const sends: [number, Send][] = [];
  const memory = new Map<string, Buffer>();
  put(Buffer.from(spec.magic ?? "QEVM"), big(4, spec.version ?? 3));
  record(Buffer.of(7), big(4, 4), Buffer.from("pc-1"));
  record(Buffer.of(8), big(2, 1), big(2, 3), Buffer.from("abc"));
  record(Buffer.of(1), big(4, 2), named("ram"), big(4, 0), big(4, spec.ramVersion ?? 4));
  const total = spec.blocks.reduce((sum, { pages }) => sum + pages * PAGE, 0);
  record(big(8, BigInt(spec.total ?? total) | 4n));
  for (const { name, pages } of spec.blocks) put(named(name), big(8, pages * PAGE));
  let last = -1;
  const page = (send: Send): void => {
    const { block, page: number, how, body } = send;
    const key = `${block}/${number}`;
    const flag = { zero: 2, whole: 8, xbzrle: 0x40 }[how] | (block === last ? 0x20 : 0);
    const name = block === last ? Buffer.alloc(0) : named(spec.blocks[block]?.name ?? "nowhere");
    last = block;
    record(big(8, BigInt(number) * 4096n + BigInt(flag)), name);
    if (how === "zero") put(Buffer.of(0));
    const changes = how === "xbzrle" ? slowXbzrle(memory.get(key) ?? Buffer.alloc(PAGE), body) : null;
    if (changes !== null) put(Buffer.of(1), big(2, changes.length));
    sends.push([at, send]);
    if (how !== "zero") put(changes ?? body);
    memory.set(key, body);
  };
  spec.sections.forEach((section, k) => {
    if (k > 0) record(Buffer.of(k === spec.sections.length - 1 ? 3 : 2), big(4, 2));
    section.forEach(page);
    record(big(8, 0x10));
    record(Buffer.of(0x7e), big(4, 2));
  });
  record(spec.after ?? Buffer.of(0));
  return { bytes: Buffer.concat(parts), records, sends };
}

/** Devices of unknown length, and the description that ends a file. */
export function slowDevices(json = '{"devices":[]}'): Buffer {
  const device = [Buffer.of(4), big(4, 9), named("timer"), big(4, 0), big(4, 2), Buffer.alloc(24, 5)];
  return Buffer.concat([
    ...device,
    Buffer.of(0x7e),
    big(4, 9),
    Buffer.of(0, 6),
    big(4, json.length),
    Buffer.from(json),
  ]);
}

/** A PT_LOAD segment; `bytes` may be fewer than memsz. */
export interface SlowSegment {
  readonly address: bigint;
  readonly bytes: Buffer;
  readonly memoryBytes: number;
}

const little = (bytes: number, value: bigint | number): Buffer => big(bytes, value).reverse();

/** An ELF core: header, program headers (a PT_NOTE first), then the segments one behind the other. */
export function slowElf(segments: readonly SlowSegment[], physical = false): Buffer {
  const count = segments.length + 1;
  const head = Buffer.concat([
    Buffer.from("7f454c46020101000000000000000000", "hex"),
    ...[little(2, 4), little(2, 62), little(4, 1), little(8, 0), little(8, 64), little(8, 0), little(4, 0)],
    ...[little(2, 64), little(2, 56), little(2, count), little(2, 64), little(2, 0), little(2, 0)],
  ]);
  const program = (type: number, offset: number, address: bigint, file: number, memory: number): Buffer => {
    const where = physical ? [0xffff800000000000n + address, address] : [address, 0n];
    const rest = [offset, ...where, file, memory, 4096].map((value) => little(8, value));
    return Buffer.concat([little(4, type), little(4, 6), ...rest]);
  };
  const headers = [program(4, 0, 0n, 0, 0)];
  let at = 64 + 56 * count;
  for (const { address, bytes, memoryBytes } of segments) {
    headers.push(program(1, at, address, bytes.length, memoryBytes));
    at += bytes.length;
  }
  return Buffer.concat([head, ...headers, ...segments.map(({ bytes }) => bytes)]);
}

/** A write of a page at a time. */
export interface SlowWrite {
  readonly timeUs: number;
  readonly pfn: number;
  readonly body: Buffer | null;
}

/** An epoch by its end, and what its pages hold then. */
export interface SlowEpoch {
  readonly endUs: number;
  readonly pages: Map<number, Buffer | null>;
}

/** Writes in order of time, each in the first epoch (k E, (k + 1) E] that has its time; 0 is in the first. */
export function slowEpochs(writes: readonly SlowWrite[], epochUs: number): SlowEpoch[] {
  const epochs: SlowEpoch[] = [];
  let endUs = epochUs;
  for (const { timeUs, pfn, body } of writes) {
    while (endUs < timeUs) endUs += epochUs;
    let last = epochs[epochs.length - 1];
    if (last === undefined || last.endUs !== endUs) {
      const before = last?.endUs ?? 0;
      if (endUs - epochUs > before) epochs.push({ endUs: endUs - epochUs, pages: new Map() });
      last = { endUs, pages: new Map() };
      epochs.push(last);
    }
    last.pages.set(pfn, body);
  }
  return epochs;
}
