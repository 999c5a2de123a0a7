// SPDX-License-Identifier: Apache-2.0
// Imports in memory, and what an imported trace holds.
import { createHash } from "node:crypto";
import * as assert from "uvu/assert";
import { epochBody, Kind } from "../../src/trace/epoch.ts";
import { ImportError } from "../../src/trace/errors.ts";
import type { Imported, ImportOptions, Input } from "../../src/trace/import/importer.ts";
import { importerOf } from "../../src/trace/import/kinds.ts";
import { type MdtTrace, openMdt } from "../../src/trace/mdt-reader.ts";
import { epochs, initialPages } from "../../src/trace/replay.ts";
import { memorySink } from "../../src/trace/sink.ts";
import { bytesSource } from "../../src/trace/source.ts";
import { drain } from "../../src/trace/steps.ts";
import { verifyTrace } from "../../src/trace/verify.ts";
import { PAGE, type SlowEpoch } from "./reference/foreign.ts";

const OPTIONS: ImportOptions = {
  epochUs: null,
  hashes: false,
  bytesPerSecond: 125_000_000,
  instructionsPerSecond: 1_000_000_000,
  tool: "test",
};

/** An imported trace, verified. */
export interface ImportedTrace {
  readonly trace: MdtTrace;
  readonly bytes: Uint8Array;
  readonly done: Imported;
}

const inputOf = (file: Uint8Array | string, k: number): Input => ({
  name: `f${k === 0 ? "" : k}`,
  source: bytesSource(typeof file === "string" ? Buffer.from(file, "latin1") : file),
});

/** Imports files; what comes out is verified, and is as long and has as much as the importer says. */
export function imported(
  kind: string,
  files: readonly (Uint8Array | string)[],
  options: Partial<ImportOptions> = {},
): ImportedTrace {
  const sink = memorySink();
  const steps = importerOf(kind)!.steps(sink, files.map(inputOf), { ...OPTIONS, ...options });
  const done = drain(steps);
  const bytes = sink.bytes();
  const found = verifyTrace(bytesSource(bytes), "i");
  const { contents, pages, epochs: count, events } = found;
  assert.equal(done, { bytes: bytes.length, contents, pages, epochs: count, events });
  return { trace: openMdt(bytesSource(bytes), "i"), bytes, done };
}

/** The line of an import that must fail. */
export function refusal(
  kind: string,
  files: readonly (Uint8Array | string)[],
  options: Partial<ImportOptions> = {},
): string {
  let line = "";
  assert.throws(
    () => imported(kind, files, options),
    (fault: unknown) => {
      assert.instance(fault, ImportError, String((fault as Error).stack));
      line = (fault as ImportError).message;
      assert.match(line, /^(f\d?(:\d+)?: offset \d+: |f\d?: |--epoch: )[^\n]+$/);
      return true;
    },
  );
  return line;
}

/** Imports damaged files: a trace that verifies, or one line. Returns whether it was a trace. */
export function survives(kind: string, files: readonly (Uint8Array | string)[]): boolean {
  try {
    imported(kind, files);
    return true;
  } catch (fault) {
    assert.instance(fault, ImportError, String((fault as Error).stack));
    assert.not.match((fault as ImportError).message, /\n/);
    return false;
  }
}

/** The initial image: every page that is not zero, by pfn. */
export function initialOf(trace: MdtTrace): Map<number, string> {
  const pages = new Map<number, string>();
  for (const { pfn, body } of initialPages(trace)) {
    if (body !== null) pages.set(pfn, Buffer.from(body).toString("base64"));
  }
  return pages;
}

/** Epochs as [end, [pfn, kind, body]…]. */
export function epochsOf(trace: MdtTrace): { endUs: number; pages: [number, number, string | null][] }[] {
  return [...epochs(trace, null)].map((epoch) => ({
    endUs: epoch.endUs,
    pages: [...epoch.pfns].map((pfn, i) => {
      const body = epochBody(epoch, i);
      return [pfn, epoch.kinds[i]!, body === null ? null : Buffer.from(body).toString("base64")];
    }),
  }));
}

/** The same of a trace without contents: only its pages. */
export function listsOf(trace: MdtTrace): [number, number[]][] {
  return epochsOf(trace).map(({ endUs, pages }) => [endUs, pages.map(([pfn]) => pfn)]);
}

export const zero = Buffer.alloc(PAGE);
/** A page of one value with a few bytes of others: small changes between two values with one base. */
export function body(value: number): Buffer {
  if (value === 0) return zero;
  const page = Buffer.alloc(PAGE, 1 + (value % 3));
  for (let k = 0; k < 9; k++) page[(value * 331 + k * 517) % PAGE] = value;
  return page;
}
export const sha = (pages: readonly Buffer[]): string =>
  createHash("sha256").update(Buffer.concat(pages)).digest("hex");
export const text = (page: Buffer): string => page.toString("base64");

/** The epochs of a trace are those of the reference: pages, contents, and which did not change. */
export function checkEpochs(
  { trace }: ImportedTrace,
  initial: readonly Buffer[],
  expected: readonly SlowEpoch[],
): void {
  const image = [...initial];
  const first = new Map(
    image.flatMap((page, pfn) => (page.equals(zero) ? [] : [[pfn, text(page)] as const])),
  );
  assert.equal(initialOf(trace), first);
  const found = epochsOf(trace);
  assert.equal(
    found.map(({ endUs, pages }) => [endUs, pages.map(([pfn]) => pfn)]),
    expected.map(({ endUs, pages }) => [endUs, [...pages.keys()].sort((a, b) => a - b)]),
  );
  expected.forEach(({ pages }, k) => {
    for (const [pfn, kind, given] of found[k]!.pages) {
      const now = pages.get(pfn)!;
      if (now.equals(image[pfn]!)) assert.is(kind, Kind.same, `epoch ${k}, page ${pfn}`);
      else if (now.equals(zero)) assert.is(kind, Kind.zero);
      else assert.is(given, text(now), `epoch ${k}, page ${pfn}`);
      image[pfn] = now;
    }
  });
  assert.is(trace.metadata.finalImageSha256, sha(image));
}

export { Kind };
