// SPDX-License-Identifier: Apache-2.0
// `dpusim trace info`: what a trace holds, in numbers. Opens it like a run does, so damage is refused.
import { Kind } from "./epoch.ts";
import type { Contents, Metadata } from "./format.ts";
import type { MdtTrace } from "./mdt-reader.ts";
import { epochs } from "./replay.ts";
import { SampledIndex } from "./sampled-index.ts";
import { PageSet } from "./sparse.ts";
import { drain, type Steps } from "./steps.ts";

/** Numbers about a trace. */
export interface TraceInfo {
  readonly file: string;
  readonly sha256: string;
  readonly version: string;
  readonly fileBytes: number;
  readonly contents: Contents;
  readonly pages: number;
  readonly pageBytes: number;
  readonly memoryBytes: number;
  readonly epochs: number;
  readonly events: number;
  readonly durationUs: number;
  readonly nominalEpochUs: number;
  readonly chunks: Readonly<Record<string, number>>;
  /** Pages of the initial image that are all zero; null unless the trace is complete. */
  readonly initialZeroPercent: number | null;
  readonly dirty: {
    /** Listed pages a second over the whole trace; null for a trace of no duration. */
    readonly pagesPerSecond: number | null;
    readonly distinctPages: number;
    readonly epochPagesMin: number;
    readonly epochPagesMedian: number;
    readonly epochPagesMax: number;
  };
  /** Listed pages by what is known of their new contents. */
  readonly versions: {
    readonly body: number;
    readonly same: number;
    readonly free: number;
    readonly zero: number;
    readonly unknown: number;
    /** Share of listed pages whose contents are known (SAME and FREE included). */
    readonly capturedPercent: number | null;
    /** Share of all-zero pages among the known new contents. */
    readonly zeroPercent: number | null;
  };
  /** What stands beside contents: pages first read, hashes, compressed sizes. */
  readonly annotations: {
    readonly firstReads: number;
    readonly hashes: number;
    readonly sizes: readonly {
      readonly compressor: string;
      readonly pages: number;
      readonly bytes: number;
    }[];
  };
  readonly metadata: Metadata;
}

const KIND_NAMES = ["body", "same", "free", "zero", "unknown"] as const;

function percent(part: number, whole: number): number | null {
  return whole === 0 ? null : (100 * part) / whole;
}

/** Reads an open trace once in time order. Throws TraceError. Memory: a bit per page, 4 bytes an epoch. */
export function traceInfo(trace: MdtTrace): TraceInfo {
  return drain(infoSteps(trace));
}

/** The same, an epoch a step. */
export function* infoSteps(trace: MdtTrace): Steps<TraceInfo> {
  const index = trace.contents === "complete" ? null : new SampledIndex(trace);
  const seen = new PageSet();
  const sizes: number[] = [];
  const tally = new Float64Array(KIND_NAMES.length);
  for (const { pfns, kinds } of epochs(trace, index)) {
    sizes.push(pfns.length);
    for (let i = 0; i < pfns.length; i++) {
      tally[kinds[i]!]!++;
      seen.add(pfns[i]!);
    }
    yield;
  }
  sizes.sort((a, b) => a - b);
  const known = trace.events - tally[Kind.unknown]!;
  const zero = tally[Kind.zero]! + tally[Kind.free]!;
  const initialBodies = trace.counts.initialPages - trace.counts.initialZeroPages;
  const seconds = trace.endTimeUs / 1e6;
  return {
    file: trace.name,
    sha256: trace.sha256,
    version: `1.${trace.minor}`,
    fileBytes: trace.source.size,
    contents: trace.contents,
    pages: trace.pages,
    pageBytes: trace.pageBytes,
    memoryBytes: trace.pages * trace.pageBytes,
    epochs: trace.epochs,
    events: trace.events,
    durationUs: trace.endTimeUs,
    nominalEpochUs: trace.nominalEpochNs / 1000,
    chunks: countChunks(trace),
    initialZeroPercent: index === null ? percent(trace.pages - initialBodies, trace.pages) : null,
    dirty: {
      pagesPerSecond: seconds > 0 ? trace.events / seconds : null,
      distinctPages: seen.size,
      epochPagesMin: sizes[0] ?? 0,
      epochPagesMedian: sizes[sizes.length >> 1] ?? 0,
      epochPagesMax: sizes[sizes.length - 1] ?? 0,
    },
    versions: {
      body: tally[Kind.body]!,
      same: tally[Kind.same]!,
      free: tally[Kind.free]!,
      zero: tally[Kind.zero]!,
      unknown: tally[Kind.unknown]!,
      capturedPercent: percent(known, trace.events),
      zeroPercent: percent(zero, known - tally[Kind.same]!),
    },
    annotations: {
      firstReads: trace.annotated.reads,
      hashes: trace.annotated.hashes,
      sizes: [...trace.annotated.sizes].map(([compressor, sum]) => ({ compressor, ...sum })),
    },
    metadata: trace.metadata,
  };
}

function countChunks(trace: MdtTrace): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let k = 0; k < trace.chunks.length; k++) {
    const type = trace.chunks.type(k);
    counts[type] = (counts[type] ?? 0) + 1;
  }
  return counts;
}
