// SPDX-License-Identifier: Apache-2.0
// `dpusim trace verify`: every rule of the format, with the page contents replayed and hashed.

import { AnnotationCheck } from "./annotation-check.ts";
import { sha256 } from "./digest.ts";
import { epochBody, Kind } from "./epoch.ts";
import { TraceError } from "./errors.ts";
import { readCheckpoint } from "./grammar.ts";
import { loadChunk, type MdtTrace, openSteps } from "./mdt-reader.ts";
import { epochs, initialPages, loadInitial } from "./replay.ts";
import { drawPool, SampledIndex } from "./sampled-index.ts";
import type { ShadowImage } from "./shadow.ts";
import type { ByteSource } from "./source.ts";
import { drain, type Steps } from "./steps.ts";

const PAGES_PER_STEP = 1024;

/** What was verified. Hashes are lower-case hex, null where the trace has no contents to prove. */
export interface Verification {
  readonly file: string;
  readonly sha256: string;
  readonly contents: MdtTrace["contents"];
  readonly pages: number;
  readonly epochs: number;
  readonly events: number;
  readonly checkpoints: number;
  readonly initialImageSha256: string | null;
  readonly finalImageSha256: string | null;
  readonly allVersionsSha256: string | null;
  /** Versions of a complete trace: initial pages and one per listed page. */
  readonly versions: number | null;
  /** Hashes in HASH chunks, and those whose contents the trace has, which were compared. */
  readonly hashes: number;
  readonly hashesCompared: number;
}

/**
 * Verifies a whole trace file. Throws TraceError for the first fault: damage, truncation (with the last whole
 * epoch), a broken rule, or contents that do not hash to what the metadata and checkpoints say.
 */
export function verifyTrace(source: ByteSource, name: string): Verification {
  return drain(verifySteps(source, name));
}

/** The same in steps: a chunk, an epoch, or some thousand pages that are hashed. */
export function* verifySteps(source: ByteSource, name: string): Steps<Verification> {
  const trace = yield* openSteps(source, name);
  const base = {
    file: name,
    sha256: trace.sha256,
    contents: trace.contents,
    pages: trace.pages,
    epochs: trace.epochs,
    events: trace.events,
    hashes: trace.annotated.hashes,
  };
  if (trace.contents === "complete") return { ...base, ...(yield* verifyComplete(trace)) };
  const hashesCompared = yield* replayRest(trace);
  const none = { initialImageSha256: null, finalImageSha256: null, allVersionsSha256: null, versions: null };
  return { ...base, ...none, hashesCompared, checkpoints: 0 };
}

/** Replays a sampled trace: its lists must fit its epochs, its bodies must decode and hash as they should. */
function* replayRest(trace: MdtTrace): Steps<number> {
  const notes = new AnnotationCheck(trace);
  const zeroPage = new Uint8Array(trace.pageBytes);
  notes.checkInitial(() => null);
  let before = -1;
  for (const epoch of epochs(trace, new SampledIndex(trace))) {
    before = epoch.index;
    notes.check(epoch, (i) => {
      const kind = epoch.kinds[i];
      if (kind === Kind.body) return epochBody(epoch, i);
      return kind === Kind.zero || kind === Kind.free ? zeroPage : null;
    });
    yield;
  }
  notes.finish();
  drawPool(trace);
  if (before + 1 !== trace.epochs) throw new TraceError(trace.name, 0, "the file changed while it was read");
  return notes.compared;
}

function* hashImage(image: ShadowImage, pages: number): Steps<string> {
  const running = sha256();
  for (let pfn = 0; pfn < pages; pfn++) {
    running.update(image.page(pfn));
    if (pfn % PAGES_PER_STEP === 0) yield;
  }
  return running.hex();
}

interface Checkpoint {
  readonly at: number;
  readonly imageSha256: string;
}

function checkpointsOf(trace: MdtTrace): Map<number, Checkpoint> {
  const found = new Map<number, Checkpoint>();
  for (let k = 0; k < trace.chunks.length; k++) {
    if (trace.chunks.type(k) !== "MARK") continue;
    const mark = readCheckpoint(loadChunk(trace, k).raw);
    if (mark !== null) found.set(mark.epoch, { at: trace.chunks.at(k), imageSha256: mark.imageSha256 });
  }
  return found;
}

function* verifyComplete(
  trace: MdtTrace,
): Steps<Omit<Verification, "file" | "sha256" | "contents" | "pages" | "epochs" | "events" | "hashes">> {
  const { name, pages, metadata } = trace;
  const image = loadInitial(trace);
  const all = sha256();
  let versions = 0;
  for (const { pfn } of initialPages(trace)) {
    all.update(image.page(pfn));
    versions++;
  }
  const demand = (what: string, given: unknown, actual: string, at = 64, whole = trace.epochs): void => {
    if (given === undefined || given === actual) return;
    const good = whole > 0 ? whole - 1 : undefined;
    throw new TraceError(name, at, `${what} is ${String(given)}, the contents hash to ${actual}`, good);
  };
  const initialImageSha256 = yield* hashImage(image, pages);
  demand("initialImageSha256", metadata.initialImageSha256, initialImageSha256);
  const checkpoints = checkpointsOf(trace);
  const notes = new AnnotationCheck(trace);
  notes.checkInitial((pfn) => image.page(pfn));
  for (const epoch of epochs(trace, null, image)) {
    for (let i = 0; i < epoch.pfns.length; i++) {
      const body = epoch.kinds[i] === Kind.body ? epochBody(epoch, i) : null;
      all.update(body ?? image.page(epoch.pfns[i]!));
    }
    versions += epoch.pfns.length;
    notes.check(epoch, (i) => image.page(epoch.pfns[i]!));
    yield;
    const mark = checkpoints.get(epoch.index);
    if (mark === undefined) continue;
    const what = `imageSha256 of epoch ${epoch.index}`;
    demand(what, mark.imageSha256, yield* hashImage(image, pages), mark.at, epoch.index);
  }
  const finalImageSha256 = yield* hashImage(image, pages);
  demand("finalImageSha256", metadata.finalImageSha256, finalImageSha256);
  const allVersionsSha256 = all.hex();
  demand("allVersionsSha256", metadata.allVersionsSha256, allVersionsSha256);
  const hashes = { initialImageSha256, finalImageSha256, allVersionsSha256 };
  return { ...hashes, checkpoints: checkpoints.size, versions, hashesCompared: notes.compared };
}
