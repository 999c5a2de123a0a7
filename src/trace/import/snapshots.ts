// SPDX-License-Identifier: Apache-2.0
// Images of one memory, one after the other, as a complete trace: the first is the initial image, each later
// one an epoch that lists the pages that differ from the image before. Memory: 4 bytes a page; contents are
// read from the images whenever they are needed. When the images were taken they do not say: epochs are of
// one length, 1 s unless another is asked for (*assumed*). Left out: writes that changed nothing, and what
// was overwritten between two images.
import type { Metadata } from "../format.ts";
import { MdtWriter } from "../mdt-writer.ts";
import { isZero } from "../payload.ts";
import type { TraceSink } from "../sink.ts";
import type { Steps } from "../steps.ts";
import { type Imported, type ImportOptions, type Input, PAGE_SHIFT, provenance } from "./importer.ts";

const EPOCH_US = 1_000_000;
const PAGES_PER_STEP = 1024;

/** One image of the memory. */
export interface Snapshot {
  /** Whether the page is there at all; one that is not reads as zeros. */
  has(pfn: number): boolean;
  page(pfn: number): Uint8Array;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Pages of `pages` for which `holds`, ascending. */
function* pagesWhere(pages: number, holds: (pfn: number) => boolean): Steps<Uint32Array> {
  let found = new Uint32Array(1024);
  let count = 0;
  for (let pfn = 0; pfn < pages; pfn++) {
    if (pfn % PAGES_PER_STEP === 0) yield;
    if (!holds(pfn)) continue;
    if (count === found.length) {
      const longer = new Uint32Array(2 * count);
      longer.set(found);
      found = longer;
    }
    found[count++] = pfn;
  }
  return found.slice(0, count);
}

/** Writes the trace. `mapping` tells what the pages are. */
export function* snapshotSteps(
  kind: string,
  sink: TraceSink,
  inputs: readonly Input[],
  options: ImportOptions,
  memory: { readonly pages: number; readonly images: readonly Snapshot[]; readonly mapping: Metadata },
): Steps<Imported> {
  const { pages, images, mapping } = memory;
  const epochUs = options.epochUs ?? EPOCH_US;
  const clock = `an image every ${epochUs} us${options.epochUs === null ? " (assumed)" : ""}`;
  const metadata = yield* provenance(kind, inputs, options.tool, { ...mapping, clock });
  let now = images[0]!;
  const shape = { pages, pageShift: PAGE_SHIFT, contents: "complete" } as const;
  const writer = new MdtWriter(sink, {
    ...shape,
    nominalEpochNs: epochUs * 1000,
    metadata,
    deltas: true,
    compress: true,
    hashes: options.hashes,
    image: { get: (pfn) => now.page(pfn) },
  });
  const contentOf = (image: Snapshot) => (pfn: number) => {
    const body = image.page(pfn);
    return isZero(body) ? null : body;
  };
  const first = now;
  yield* writer.initialSteps(yield* pagesWhere(pages, (pfn) => first.has(pfn)), contentOf(first));
  let events = 0;
  for (const [k, image] of images.slice(1).entries()) {
    const before = now;
    const changed = yield* pagesWhere(pages, (pfn) => !same(before.page(pfn), image.page(pfn)));
    writer.epoch((k + 1) * epochUs, changed, contentOf(image));
    events += changed.length;
    now = image;
  }
  const bytes = yield* writer.finishSteps();
  return { bytes, contents: "complete", pages, epochs: images.length - 1, events };
}
