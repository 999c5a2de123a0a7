// SPDX-License-Identifier: Apache-2.0
// Raw images of a memory: page 0 first, nothing else in the file (QEMU's `pmemsave 0 SIZE FILE`). Two or
// more of the same size; see snapshots.ts for what becomes of them.
import { LIMITS } from "../format.ts";
import type { Steps } from "../steps.ts";
import { elf } from "./elf.ts";
import { bytesAt, type Imported, type Importer, type Input, latin, PAGE_BYTES, refuse } from "./importer.ts";
import { qemuStream } from "./qemu-stream.ts";
import { type Snapshot, snapshotSteps } from "./snapshots.ts";

const ZSTD = "\x28\xb5\x2f\xfd";
const GZIP = "\x1f\x8b";

/** Refuses files that are certainly something else. */
function checkRaw(input: Input, size: number): void {
  const { name, source } = input;
  const head = source.read(0, PAGE_BYTES);
  const other = [elf, qemuStream].find((importer) => importer.begins(head));
  if (other !== undefined) refuse(name, 0, `this is no raw image; import it as ${other.kind}`);
  const packed = [ZSTD, GZIP].some((magic) => latin(head.subarray(0, 4)).startsWith(magic));
  if (packed) refuse(name, 0, "the image is compressed; unpack it first");
  const whole = source.size > 0 && source.size % PAGE_BYTES === 0;
  const pages = Math.floor(source.size / PAGE_BYTES);
  if (!whole) {
    const more = source.size === 0 ? "the file is empty" : `the file ends inside page ${pages}`;
    refuse(name, pages * PAGE_BYTES, `${more}; an image is a multiple of ${PAGE_BYTES} bytes above 0`);
  }
  if (pages >= LIMITS.pages) refuse(name, 0, `${pages} pages are too many; at most 2^32 - 1`);
  if (source.size !== size)
    refuse(
      name,
      Math.min(size, source.size),
      `has ${source.size} bytes, the first image ${size}; all must be as large`,
    );
}

function* rawSteps(...[sink, inputs, options]: Parameters<Importer["steps"]>): Steps<Imported> {
  const { size } = inputs[0]!.source;
  for (const input of inputs) checkRaw(input, size);
  const images = inputs.map(
    (input): Snapshot => ({
      has: () => true,
      page: (pfn) => bytesAt(input, pfn * PAGE_BYTES, PAGE_BYTES, `page ${pfn}`),
    }),
  );
  const pages = size / PAGE_BYTES;
  const mapping = { pfn_mapping: [[0, pages, "0x0"]] };
  return yield* snapshotSteps("raw", sink, inputs, options, { pages, images, mapping });
}

export const raw: Importer = {
  kind: "raw",
  takes: "two or more raw images of one memory, in order of time",
  inputsMin: 2,
  inputsMax: 64,
  begins: () => false,
  steps: rawSteps,
};
