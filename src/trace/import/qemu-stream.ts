// SPDX-License-Identifier: Apache-2.0
// A QEMU migration stream (qemu-records.ts) as a complete trace: the first copy of a page is the initial
// image, each later copy a write. The stream has no times: a copy was made when the bytes before it had been
// sent at one rate, that of `query-migrate` (transferred / total-time) or of --rate (*assumed*), and counts
// in the epoch of that time. Of several copies in an epoch the last one counts. Pages that were never sent
// are zero. Blocks lie one behind the other in the order of their sizes.
//
// Memory: 8 bytes a page, and the bodies that XBZRLE has changed. Left out: when a page was written before
// it was sent again; the device state.
import { ImportError, Malformed } from "../errors.ts";
import { MdtWriter, type PageImage } from "../mdt-writer.ts";
import { applyDelta, isZero } from "../payload.ts";
import type { TraceSink } from "../sink.ts";
import { PageSet, SparseF64 } from "../sparse.ts";
import type { Steps } from "../steps.ts";
import { TIME_US_MAX } from "./epochs.ts";
import {
  bytesAt,
  type Imported,
  type Importer,
  type ImportOptions,
  type Input,
  latin,
  PAGE_BYTES,
  PAGE_SHIFT,
  provenance,
  type Range,
  refuse,
} from "./importer.ts";
import { type PageRecord, QemuRecords } from "./qemu-records.ts";
import { readQuery } from "./query-migrate.ts";

const EPOCH_US = 20_000;
const RECORDS_PER_STEP = 1024;
const ZERO = 0;
const HELD = -1;

/** Where the contents of each page lie: in the stream, or here where XBZRLE has changed them. */
class StreamImage implements PageImage {
  private readonly places = new SparseF64();
  private readonly held = new Map<number, Uint8Array>();
  private readonly input: Input;

  constructor(input: Input) {
    this.input = input;
  }

  get(pfn: number): Uint8Array | undefined {
    const at = this.places.get(pfn);
    if (at === ZERO) return undefined;
    return at === HELD ? this.held.get(pfn) : bytesAt(this.input, at, PAGE_BYTES, "a page");
  }

  put(pfn: number, next: Next): void {
    this.held.delete(pfn);
    if (typeof next === "number") this.places.set(pfn, next);
    else {
      this.places.set(pfn, HELD);
      this.held.set(pfn, next);
    }
  }
}

/** A page's next contents: its offset in the stream, ZERO, or a body. */
type Next = number | Uint8Array;

/** What the first pass finds. */
interface Survey {
  readonly stream: QemuRecords;
  readonly image: StreamImage;
  /** Pages of the initial image, ascending. */
  readonly sent: Uint32Array;
  normal: number;
  zero: number;
}

/** The record's contents after what the page held before. */
function nextOf(input: Input, record: PageRecord, before: Uint8Array | undefined): Next {
  if (record.kind === "zero") return ZERO;
  if (record.kind === "page") {
    return isZero(bytesAt(input, record.at, PAGE_BYTES, "a page")) ? ZERO : record.at;
  }
  const body = new Uint8Array(PAGE_BYTES);
  if (before !== undefined) body.set(before);
  try {
    applyDelta(bytesAt(input, record.at, record.length, "an XBZRLE page"), body, PAGE_BYTES);
  } catch (fault) {
    if (!(fault instanceof Malformed)) throw fault;
    refuse(input.name, record.at, `the XBZRLE page is damaged: ${fault.message}`);
  }
  return isZero(body) ? ZERO : body;
}

/** Walks the whole stream once: it must be whole, and the first copies are the initial image. */
function* survey(input: Input): Steps<Survey> {
  const stream = new QemuRecords(input);
  const image = new StreamImage(input);
  const sent = new PageSet();
  const found = { normal: 0, zero: 0 };
  let count = 0;
  for (const record of stream.records()) {
    if (record.kind === "page") found.normal++;
    if (record.kind === "zero") found.zero++;
    if (!sent.has(record.pfn)) {
      if (record.kind === "xbzrle")
        refuse(input.name, record.at, "an XBZRLE page changes a page that was never sent");
      image.put(record.pfn, nextOf(input, record, undefined));
      sent.add(record.pfn);
    }
    if (++count % RECORDS_PER_STEP === 0) yield;
  }
  if (sent.size === 0) refuse(input.name, input.source.size, "the stream sends no page");
  return { stream, image, sent: sent.list(), ...found };
}

/** Copies of one epoch, written when the next begins. */
class Epochs {
  epochs = 0;
  events = 0;
  private readonly writer: MdtWriter;
  private readonly image: StreamImage;
  private readonly epochUs: number;
  private next = new Map<number, Next>();
  private epoch = 0;
  private endUs = 0;
  private readonly input: Input;

  constructor(input: Input, writer: MdtWriter, image: StreamImage, epochUs: number) {
    this.input = input;
    this.writer = writer;
    this.image = image;
    this.epochUs = epochUs;
  }

  take(record: PageRecord, timeUs: number): void {
    const epoch = Math.max(1, Math.ceil(timeUs / this.epochUs));
    if (epoch !== this.epoch) this.flush();
    this.epoch = epoch;
    const { pfn } = record;
    this.next.set(pfn, nextOf(this.input, record, this.bodyOf(pfn)));
  }

  flush(): void {
    if (this.next.size === 0) return;
    const startUs = (this.epoch - 1) * this.epochUs;
    if (startUs > this.endUs) this.put(startUs, new Uint32Array(0));
    this.put(this.epoch * this.epochUs, Uint32Array.from(this.next.keys()).sort());
    for (const [pfn, next] of this.next) this.image.put(pfn, next);
    this.next = new Map();
  }

  private put(endUs: number, pfns: Uint32Array): void {
    this.writer.epoch(endUs, pfns, (pfn) => this.bodyOf(pfn) ?? null);
    this.epochs++;
    this.events += pfns.length;
    this.endUs = endUs;
  }

  private bodyOf(pfn: number): Uint8Array | undefined {
    const next = this.next.get(pfn);
    if (next === undefined) return this.image.get(pfn);
    if (typeof next !== "number") return next;
    return next === ZERO ? undefined : bytesAt(this.input, next, PAGE_BYTES, "a page");
  }
}

/** How many bytes are sent in how many us. */
function paceOf(
  inputs: readonly Input[],
  found: Survey,
  options: ImportOptions,
): [bytes: bigint, us: bigint, clock: string] {
  const [stream, reply] = inputs as [Input, Input | undefined];
  if (reply === undefined) {
    const { bytesPerSecond } = options;
    return [
      BigInt(bytesPerSecond),
      1_000_000n,
      `bytes of the stream at ${bytesPerSecond} a second (assumed)`,
    ];
  }
  const query = readQuery(reply);
  if (query.normal !== found.normal || query.duplicate !== found.zero) {
    const what = `query-migrate says normal ${query.normal}, duplicate ${query.duplicate}`;
    const why = `the stream has ${found.normal} and ${found.zero}: it is of another migration`;
    throw new ImportError(reply.name, `${what}; ${stream.name}: ${why}`);
  }
  if (query.transferredBytes === 0) throw new ImportError(reply.name, "ram.transferred is 0");
  const clock = `bytes of the stream, ${query.transferredBytes} in ${query.totalTimeMs} ms`;
  return [BigInt(query.transferredBytes), BigInt(query.totalTimeMs) * 1000n, clock];
}

function* streamSteps(sink: TraceSink, inputs: readonly Input[], options: ImportOptions): Steps<Imported> {
  const input = inputs[0]!;
  const epochUs = options.epochUs ?? EPOCH_US;
  const found = yield* survey(input);
  const { image, sent, stream } = found;
  const [bytesSent, us, clock] = paceOf(inputs, found, options);
  const mapping = stream.blocks.map(({ name, firstPfn, pages }): Range => [firstPfn, pages, name]);
  const metadata = yield* provenance("qemu-stream", inputs, options.tool, {
    machine: stream.machine,
    pfn_mapping: mapping,
    clock,
  });
  const shape = { pages: stream.pages, pageShift: PAGE_SHIFT, contents: "complete", image } as const;
  const writer = new MdtWriter(sink, {
    ...shape,
    nominalEpochNs: epochUs * 1000,
    metadata,
    deltas: true,
    compress: true,
    hashes: options.hashes,
  });
  yield* writer.initialSteps(sent, (pfn) => image.get(pfn) ?? null);
  const epochs = new Epochs(input, writer, image, epochUs);
  const seen = new PageSet();
  let count = 0;
  for (const record of new QemuRecords(input).records()) {
    if (seen.has(record.pfn)) {
      const timeUs = Number((BigInt(record.at) * us) / bytesSent);
      if (timeUs > TIME_US_MAX)
        refuse(input.name, record.at, "passes 2.5 h, the longest time; give a higher --rate");
      epochs.take(record, timeUs);
    }
    seen.add(record.pfn);
    if (++count % RECORDS_PER_STEP === 0) yield;
  }
  epochs.flush();
  const bytes = yield* writer.finishSteps();
  return { bytes, contents: "complete", pages: stream.pages, epochs: epochs.epochs, events: epochs.events };
}

export const qemuStream: Importer = {
  kind: "qemu-stream",
  takes: "a migration stream (QEVM 3), and the JSON of query-migrate",
  inputsMin: 1,
  inputsMax: 2,
  begins: (head) => latin(head.subarray(0, 4)) === "QEVM",
  steps: streamSteps,
};
