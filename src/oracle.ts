// SPDX-License-Identifier: Apache-2.0
/**
 * What the destination must hold when the guest resumes: the trace replayed anew, as far as each vCPU of
 * the source had come when it was suspended, and the writes of each device that have landed; where pages move
 * after that, when the last one has, as far as each vCPU has come at the destination. Nothing of the
 * migration's own books is used.
 */
import * as abi from "../assembly/abi.ts";
import { type Carrying, carriedEvery, isOneOf, keptEvery } from "./carried.ts";
import type { Core } from "./core.ts";
import { executedBy, replayExecuted } from "./executed.ts";
import { ALONE, type Place } from "./guest-parts.ts";
import { deviceWrites } from "./params-devices.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { expectStorage } from "./storage.ts";
import { type GuestStream, KEEP_CONTENT } from "./trace/events.ts";

/** Outcome of a comparison. */
export interface Comparison {
  pagesCompared: number;
  pagesDifferent: number;
  /** First page that differs, or null. */
  firstDifferent: number | null;
}

const ABSENT = 0xffffffff;

/** Which memory is compared: the destination's, or (after a failure) the source's own. */
export type Subject = "destination" | "source";

/**
 * Replays a fresh stream up to the writes that the source's vCPUs executed; compares versions, and bytes
 * where carried.
 */
export function compare(
  core: Core,
  stream: GuestStream,
  scenario: ResolvedScenario & Carrying,
  subject: Subject,
  lies: Place = ALONE,
): Comparison {
  const { pages } = stream;
  const { firstPage } = lies;
  const every = subject === "source" ? keptEvery(scenario) : carriedEvery(scenario);
  // the body of page p of all guests is at floor(p / every) of them
  const before = every === 0 ? 0 : Math.ceil(firstPage / every);
  const bytes = every === 0 ? 0 : (Math.ceil((firstPage + pages) / every) - before) * abi.PAGE_BYTES;
  const image = new Uint8Array(bytes);
  const versions = new Uint32Array(pages);
  const place = (pfn: number, body: Uint8Array | null): void => {
    if (!isOneOf(every, firstPage + pfn)) return;
    const at = ((firstPage + pfn) / every - before) * abi.PAGE_BYTES;
    if (body === null) image.fill(0, at, at + abi.PAGE_BYTES);
    else image.set(body, at);
  };
  if (bytes > 0) {
    for (const block of stream.initial()) {
      for (let i = 0; i < block.count; i++) {
        if (block.contentIds[i] !== 0) place(block.firstPfn + i, block.content(i));
      }
    }
  }
  // what a guest that has resumed before every page was there wrote at the destination is not the source's
  const counts = executedBy(core, scenario.guest.vcpus, subject === "source", lies);
  replayExecuted(stream, counts, (batch, i) => {
    const pfn = batch.pfns[i]!;
    const id = batch.contentIds[i]!;
    versions[pfn]!++;
    if (id !== KEEP_CONTENT && bytes > 0) place(pfn, id === 0 ? null : batch.content(i));
  });
  for (const [index, device] of (scenario.guest.devices ?? []).entries()) {
    const landed = Number(core.u64(core.address("devicesAt") + index * 128 + 32));
    for (const pfn of deviceWrites(device, index, scenario.seed, landed)) versions[pfn]!++;
  }
  expectStorage(core, scenario, pages, (pfn, version, body) => {
    versions[pfn] = version;
    if (bytes > 0) place(pfn, body);
  });
  return difference(core, versions, image, every, subject, firstPage);
}

/** Compares a page word by word; addresses in bytes. */
function equalPages(a: Uint32Array, aAt: number, b: Uint32Array, bAt: number): boolean {
  const words = abi.PAGE_BYTES / 4;
  // views, so that what is indexed by is small
  const left = a.subarray(aAt / 4, aAt / 4 + words);
  const right = b.subarray(bAt / 4, bAt / 4 + words);
  for (let i = 0; i < words; i++) if (left[i] !== right[i]) return false;
  return true;
}

function difference(
  core: Core,
  versions: Uint32Array,
  image: Uint8Array,
  every: number,
  subject: Subject,
  firstPage: number,
): Comparison {
  const destination = subject === "destination";
  const held = core.address(destination ? "placedVersionsAt" : "sourceVersionsAt") >>> 2;
  const bodies = core.address(destination ? "placedImageAt" : "sourceImageAt");
  const expected = new Uint32Array(image.buffer, image.byteOffset, image.length >>> 2);
  const before = every === 0 ? 0 : Math.ceil(firstPage / every);
  let different = 0;
  let first: number | null = null;
  for (let pfn = 0; pfn < versions.length; pfn++) {
    const page = firstPage + pfn;
    const version = core.u32[held + page]!;
    let same = version === versions[pfn] && version !== ABSENT;
    if (same && isOneOf(every, page)) {
      const at = (page / every) * abi.PAGE_BYTES;
      same = equalPages(core.u32, bodies + at, expected, at - before * abi.PAGE_BYTES);
    }
    if (!same) {
      different++;
      first ??= pfn;
    }
  }
  return { pagesCompared: versions.length, pagesDifferent: different, firstDifferent: first };
}
