// SPDX-License-Identifier: Apache-2.0
/**
 * A storage adapter's part of the guest: queues and buffers behind the guest's own memory, the contents that
 * reads bring, and what all of it must be when the guest has moved.
 */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { WordOf } from "./given-sizes.ts";
import { serviceQuantile, storagePages } from "./params-storage.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { makeBody } from "./trace/content.ts";
import { EventFlag, type GuestStream, type InitialBlock } from "./trace/events.ts";

/** Blocks that storage holds: text, and every fourth one random bytes. */
function blockBody(block: number, seed: number): Uint8Array {
  const body = new Uint8Array(abi.PAGE_BYTES);
  makeBody(block % 4 === 3 ? "random" : "text", block, seed, body);
  return body;
}

/** A guest with `more` pages of zeros behind its own, which its trace does not know. */
export function widened(stream: GuestStream, more: number): GuestStream {
  if (more === 0) return stream;
  const block: InitialBlock = {
    firstPfn: stream.pages,
    count: more,
    contentIds: new Uint32Array(more),
    flags: new Uint8Array(more).fill(EventFlag.zero),
    content: () => new Uint8Array(abi.PAGE_BYTES),
  };
  function* initial(): Generator<InitialBlock> {
    yield* stream.initial();
    yield block;
  }
  return {
    pages: stream.pages + more,
    pageBytes: stream.pageBytes,
    stableContents: stream.stableContents,
    atEnd: stream.atEnd,
    endTicks: stream.endTicks,
    stableContent: (id) => stream.stableContent(id),
    initial,
    next: () => stream.next(),
    fork: () => widened(stream.fork(), more),
  };
}

/** Gives the core the service times and the contents of storage. Call after build(). */
export function loadStorage(core: Core, scenario: ResolvedScenario, wordOf: WordOf | undefined): void {
  const { storage } = scenario.guest;
  if (storage === undefined) return;
  const at = core.address("storageTables");
  for (let i = 0; i < abi.STORAGE_STEPS; i++) core.setU64(at + 8 * i, serviceQuantile(storage, i));
  const words = at + 8 * abi.STORAGE_STEPS;
  for (let block = 0; block < abi.STORAGE_BLOCKS; block++) {
    const body = blockBody(block, scenario.seed);
    core.u8.set(body, words + 64 + block * abi.PAGE_BYTES);
    if (scenario.content.mode === "full") continue;
    const word = wordOf === undefined ? core.contentWord(body) : wordOf(body);
    core.u32[(words >>> 2) + block] = word;
  }
}

/** What the pages of queues and buffers must be: told of each page that has been written. */
type Expect = (page: number, version: number, body: Uint8Array | null) => void;

/** Entries of a ring that lie in one of its pages, of the first n. */
function entriesIn(page: number, n: number, ring: number, entryBytes: number): number {
  const perPage = abi.PAGE_BYTES / entryBytes;
  const held = Math.min(perPage, ring);
  const whole = Math.floor(n / ring) * held;
  return whole + Math.min(held, Math.max(0, (n % ring) - page * perPage));
}

/** The draw of the block that a request's first page holds: the finaliser of MurmurHash3. */
function firstBlock(seed: number, n: number): number {
  let h = seed ^ 0x626c6f63 ^ Math.imul(n, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * What the source wrote for its requests, from the numbers of requests asked for and answered there, and of
 * those that filled each buffer.
 */
export function expectStorage(core: Core, scenario: ResolvedScenario, pages: number, expect: Expect): void {
  const { storage } = scenario.guest;
  if (storage === undefined) return;
  const { queue, depth, sizeBytes } = storage;
  const asked = Number(core.global("askedAtSource"));
  const answered = Number(core.global("answeredAtSource"));
  let page = pages - storagePages(storage);
  const rings: [number, number][] = [
    [asked, abi.STORAGE_REQUEST_BYTES],
    [answered, abi.STORAGE_RESPONSE_BYTES],
  ];
  for (const [n, bytes] of rings) {
    const many = Math.ceil((queue * bytes) / abi.PAGE_BYTES);
    for (let i = 0; i < many; i++) expect(page++, entriesIn(i, n, queue, bytes), null);
  }
  const slots = core.address("storageSlots") >>> 2;
  for (let slot = 0; slot < depth; slot++) {
    const at = slots + (slot * abi.STORAGE_SLOT_BYTES) / 4;
    const [filled, last] = [core.u32[at + 11]!, core.u32[at + 12]!];
    const first = filled === 0 ? 0 : firstBlock(scenario.seed, last);
    for (let i = 0; i < Math.ceil(sizeBytes / abi.PAGE_BYTES); i++) {
      const body = filled === 0 ? null : blockBody((first + i) & (abi.STORAGE_BLOCKS - 1), scenario.seed);
      expect(page++, filled, body);
    }
  }
}
