// SPDX-License-Identifier: Apache-2.0
// Opens an MDT trace: one pass from front to back that verifies every checksum and every rule that does not
// need page contents. Memory: one chunk, one epoch's page list, 24 bytes a chunk.
import type { AnnotationCounts } from "./annotations.ts";
import * as C from "./chunks.ts";
import { sha256 } from "./digest.ts";
import { expect, Malformed, TraceError } from "./errors.ts";
import type { Contents, Metadata } from "./format.ts";
import { CompleteGrammar, type Counts, type Grammar, LooseGrammar, type Shape } from "./grammar.ts";
import type { ByteSource } from "./source.ts";
import { drain, type Steps } from "./steps.ts";

const DIGEST_STEP_BYTES = 1 << 20;

/** An open trace. Reading it is positional, so that any number of replays can share it. */
export interface MdtTrace {
  readonly source: ByteSource;
  /** The file's name as used in messages. */
  readonly name: string;
  /** Minor format version: 0 or 1, or a later one that is read as 1. */
  readonly minor: number;
  readonly pages: number;
  readonly pageShift: number;
  /** 2^pageShift. */
  readonly pageBytes: number;
  readonly hasDeltas: boolean;
  readonly contents: Contents;
  readonly metadata: Metadata;
  readonly startUnixNs: bigint;
  readonly nominalEpochNs: number;
  readonly epochs: number;
  /** Sum over epochs of listed pages. */
  readonly events: number;
  readonly endTimeUs: number;
  readonly counts: Readonly<Counts>;
  /** Sums over READ, HASH and CSIZ. */
  readonly annotated: AnnotationCounts;
  /** Every chunk before INDX, in file order. */
  readonly chunks: C.ChunkTable;
  /** SHA-256 of the whole file, lower-case hex; computed when first asked for. */
  readonly sha256: string;
}

/**
 * Opens and checks a trace. `name` stands in messages.
 * Throws TraceError with the offset and the last whole epoch for any damage, truncation, broken rule, unknown
 * major version or unknown required feature. Hashes over page contents are `verifyTrace`'s business.
 */
export function openMdt(source: ByteSource, name: string): MdtTrace {
  return drain(openSteps(source, name));
}

/** The same, a chunk a step. */
export function* openSteps(source: ByteSource, name: string): Steps<MdtTrace> {
  const header = C.located(name, 0, undefined, () => C.readHeader(source));
  const shape: Shape = {
    pages: header.pages,
    pageBytes: 2 ** header.pageShift,
    hasDeltas: header.hasDeltas,
  };
  const declared = C.located(name, 64, undefined, () => declaredContents(header.metadata));
  const grammar =
    declared === "complete" ? new CompleteGrammar(shape) : new LooseGrammar(shape, declared ?? "sampled");
  const chunks = yield* walk(source, name, header.firstChunkAt, grammar);
  const { counts } = grammar;
  C.located(name, 64, grammar.lastGoodEpoch(), () => checkMetadata(header.metadata, declared, counts));
  const guessed = grammar instanceof LooseGrammar && grammar.sawBodies() ? "sampled" : "none";
  let digest: string | undefined;
  return {
    source,
    name,
    minor: header.minor,
    ...shape,
    pageShift: header.pageShift,
    contents: declared ?? guessed,
    metadata: header.metadata,
    startUnixNs: header.startUnixNs,
    nominalEpochNs: header.nominalEpochNs,
    epochs: counts.epochs,
    events: counts.events,
    endTimeUs: counts.endTimeUs,
    counts,
    annotated: grammar.annotated,
    chunks,
    get sha256() {
      digest ??= digestOf(source, name);
      return digest;
    },
  };
}

/** Chunk `k` of the trace with its decoded payload, checked again. Throws TraceError. */
export function loadChunk(trace: MdtTrace, k: number): { chunk: C.Chunk; raw: Uint8Array } {
  const at = trace.chunks.at(k);
  return C.located(trace.name, at, undefined, () => {
    const chunk = C.readChunk(trace.source, at);
    return { chunk, raw: C.readPayload(trace.source, chunk) };
  });
}

/** Throws a TraceError at chunk `k` if `work` finds the trace malformed. */
export function atChunk<T>(trace: MdtTrace, k: number, lastGoodEpoch: number | undefined, work: () => T): T {
  return C.located(trace.name, trace.chunks.at(k), lastGoodEpoch, work);
}

function declaredContents(metadata: Metadata): Contents | null {
  const { contents } = metadata;
  if (contents === undefined) return null;
  const known = contents === "complete" || contents === "sampled" || contents === "none";
  expect(known, `contents is ${JSON.stringify(contents)}; legal are complete, sampled, none`);
  return contents;
}

function checkMetadata(metadata: Metadata, contents: Contents | null, counts: Readonly<Counts>): void {
  if (contents !== "complete") return;
  const hashes = ["finalImageSha256", "initialImageSha256", "allVersionsSha256"];
  for (const key of hashes) {
    const value = metadata[key];
    if (value === undefined && key !== "finalImageSha256") continue;
    const legal = typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
    expect(legal, `${key} of a complete trace must be 64 lower-case hex digits`);
  }
  const expected: [string, number][] = [
    ["versions", counts.initialPages + counts.events],
    ["initialTimeUs", 0],
    ["endTimeUs", counts.endTimeUs],
  ];
  for (const [key, value] of expected) {
    const given = metadata[key];
    expect(
      given === undefined || given === value,
      `${key} is ${String(given)}, the file's contents give ${value}`,
    );
  }
}

/** Walks all chunks and the tail; returns the table of the chunks before INDX. */
function* walk(
  source: ByteSource,
  name: string,
  firstChunkAt: number,
  grammar: Grammar,
): Steps<C.ChunkTable> {
  const chunks = new C.ChunkTable();
  let at = firstChunkAt;
  try {
    for (;;) {
      const chunk = C.readChunk(source, at);
      const raw = C.readPayload(source, chunk);
      if (chunk.type === "INDX") {
        grammar.finish();
        chunks.checkIndex(raw, chunk.items);
        const indexAt = at;
        at = C.chunkEnd(chunk);
        C.checkTail(source, at, indexAt);
        return chunks;
      }
      grammar.accept(chunk, raw);
      chunks.push(chunk);
      at = C.chunkEnd(chunk);
      yield;
    }
  } catch (fault) {
    if (!(fault instanceof Malformed)) throw fault;
    const cut =
      at >= source.size ? "the file ends before its INDX chunk and tail: an interrupted capture" : null;
    throw new TraceError(name, at, cut ?? fault.message, grammar.lastGoodEpoch());
  }
}

function digestOf(source: ByteSource, name: string): string {
  const running = sha256();
  for (let at = 0; at < source.size; at += DIGEST_STEP_BYTES) {
    const length = Math.min(DIGEST_STEP_BYTES, source.size - at);
    running.update(C.located(name, at, undefined, () => C.readExactly(source, at, length, "its contents")));
  }
  return running.hex();
}
