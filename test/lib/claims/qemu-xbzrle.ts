// SPDX-License-Identifier: Apache-2.0
/** XBZRLE of contents that are known: the core's thread beside the slow reference, to tick and byte. */
import * as abi from "../../../assembly/abi.ts";
import { Core, coreModule } from "../../../src/core.ts";
import { migrateInSoftware, type SoftwareGuest } from "../../../src/software.ts";
import { PLAIN, type Xbzrle } from "../../../src/software-features.ts";
import { EventFlag, type GuestStream, KEEP_CONTENT } from "../../../src/trace/events.ts";
import { generator, seeds } from "../random.ts";
import { ReferenceThread, type Write } from "../reference/qemu.ts";
import type { Contents } from "../reference/qemu-contents.ts";
import { claim, same } from "./expect.ts";
import { agree, batchesOf, busyCase, type Case, randomCase } from "./qemu.ts";

const US = 1_024_000_000;
const LIMIT = 20n * 1000n * BigInt(1000 * US);
const PAGE = 4096;

/**
 * A page, and others that differ from it in every second byte of a part: each such byte takes three, so that
 * their deltas are around as long as a page. `more` bytes at the end of the part differ as well.
 */
function nearly(base: Uint8Array, places: number, more: number, last: boolean): Uint8Array {
  const body = base.slice();
  for (let i = 0; i < places; i++) body[2 * i]! ^= 1 + (i % 255);
  for (let i = 1; i <= more; i++) body[2 * (places - 1) + i]! ^= 0x55;
  if (last) body[PAGE - 1]! ^= 0x77;
  return body;
}

/** Bodies of a guest; 0 is zeros, the others are not. */
export function bodiesOf(r: () => number): Uint8Array[] {
  const random = (): Uint8Array => Uint8Array.from({ length: PAGE }, () => Math.floor(r() * 256) || 1);
  const base = random();
  const few = base.slice();
  few.fill(9, 700, 700 + Math.floor(r() * 300));
  const head = base.slice();
  head.fill(0, 1);
  return [
    new Uint8Array(PAGE),
    ...[base, few, random(), head, few.slice()],
    // 4092 bytes of delta, 4093 to 4096, and the last byte of the page among them
    nearly(base, 1364, 0, false),
    ...[1, 2, 3].map((more) => nearly(base, 1364, more, false)),
    nearly(base, 1365, 0, false),
    nearly(base, 1365, 1, false),
    nearly(base, 1364, 0, true),
    nearly(base, 1363, 2, true),
  ];
}

/** A guest with these contents, in batches of `each`. */
export function guestWith(
  { bodies, initial }: Contents,
  writes: readonly Write[],
  each: number,
): GuestStream {
  const idOf = ({ body }: Write): number => body ?? KEEP_CONTENT;
  const flagOf = ({ body }: Write): number =>
    body === undefined ? EventFlag.same : body === 0 ? EventFlag.zero : 0;
  return {
    pages: initial.length,
    pageBytes: PAGE,
    stableContents: bodies.length,
    isKnown: true,
    atEnd: "idle",
    endTicks: writes.at(-1)?.at ?? 0n,
    stableContent: (id) => bodies[id]!,
    *initial() {
      const contentIds = Uint32Array.from(initial);
      const flags = new Uint8Array(initial.length);
      yield { firstPfn: 0, count: initial.length, contentIds, flags, content: (i) => bodies[initial[i]!]! };
    },
    next: batchesOf(writes, each, {
      flags: flagOf,
      id: idOf,
      body: ({ body }) => bodies[body ?? -1] ?? null,
    }),
    fork: () => guestWith({ bodies, initial }, writes, each),
  };
}

/** What a stream that ends plays, for the reference. */
export function played(stream: GuestStream): { contents: Contents; writes: Write[] } {
  const bodies: Uint8Array[] = [new Uint8Array(PAGE)];
  const initial: number[] = [];
  const numberOf = (id: number, body: Uint8Array | null): number =>
    id === 0 ? 0 : bodies.push(body!.slice()) - 1;
  for (const { firstPfn, count, contentIds, content } of stream.initial())
    for (let i = 0; i < count; i++) initial[firstPfn + i] = numberOf(contentIds[i]!, content(i));
  const holds = [...initial];
  const writes: Write[] = [];
  for (let batch = stream.next(); batch !== null; batch = stream.next()) {
    for (let i = 0; i < batch.count; i++) {
      const [at, pfn, id] = [batch.timeTicks[i]!, batch.pfns[i]!, batch.contentIds[i]!];
      const body = id === KEEP_CONTENT ? {} : { body: numberOf(id, batch.content(i)) };
      holds[pfn] = body.body ?? holds[pfn]!;
      writes.push({ at, pfn, zero: holds[pfn] === 0, ...body });
    }
  }
  return { contents: { bodies, initial }, writes };
}

/** A guest of test/lib/claims/qemu with contents. What is drawn elsewhere must not matter here. */
function encodedCase(seed: number): Case & { contents: Contents } {
  const { m, writes, zeros, pageBytes } = seed % 4 === 0 ? randomCase(3 * seed + 1) : busyCase(seed);
  const r = generator(seed + 31_337);
  const upTo = (n: number): number => Math.floor(r() * (n + 1));
  const bodies = bodiesOf(r);
  const zeroShare = r() < 0.3 ? 0 : 0.3 * r();
  const draw = (): number => (r() < zeroShare ? 0 : 1 + upTo(bodies.length - 2));
  const initial = zeros.map(draw);
  const holds = [...initial];
  const filled = writes.map(({ at, pfn }): Write => {
    if (r() < 0.1) return { at, pfn, zero: holds[pfn] === 0 };
    const body = draw();
    holds[pfn] = body;
    return { at, pfn, zero: body === 0, body };
  });
  const cachePages = 2 ** (r() < 0.3 ? upTo(11) : 12);
  const drawn = { overflowOf65536: upTo(65_536), deltaBytes: upTo(PAGE) };
  const xbzrle: Xbzrle = { cachePages, ...drawn, encodeTicks: upTo(4 * US) };
  return {
    m: { ...m, ...PLAIN, xbzrle, syncsMax: m.syncsMax },
    writes: filled,
    zeros: initial.map((body) => body === 0),
    pageBytes,
    contents: { bodies, initial },
  };
}

const MODES = [
  { mode: "full", sampleEvery: 1 },
  { mode: "sized", sampleEvery: 1 },
  { mode: "sampled", sampleEvery: 7 },
] as const;

/** First page of which the destination has other bytes than the reference's, or -1. */
function differs(core: Core, every: number, placed: readonly Uint8Array[]): number {
  const image = core.address("placedImageAt");
  for (let pfn = 0; pfn < placed.length; pfn += every) {
    const at = image + (pfn / every) * PAGE;
    if (Buffer.compare(core.u8.subarray(at, at + PAGE), placed[pfn]!) !== 0) return pfn;
  }
  return -1;
}

/** Random guests in all content modes, a third of them on the scheduler that steps everything. */
export function checkEncoded(count = 20): void {
  const cores = [new Core(coreModule()), new Core(coreModule("naive"))] as const;
  const found = { xbzrleMisses: 0, xbzrleOverflows: 0, xbzrleSame: 0, deltas: 0, compared: 0 };
  for (const seed of seeds(count)) {
    const { m, writes, zeros, pageBytes, contents } = encodedCase(seed);
    const what = `encoded ${seed}`;
    const thread = new ReferenceThread(m, zeros, writes, pageBytes, null, contents);
    const want = thread.run(LIMIT);
    const known = MODES[seed % 3]!;
    const given: SoftwareGuest = {
      ...{ vcpus: 1, wall: true, tracker: abi.TRACKER_BITMAP, faultTicks: 0, ring: null },
      known,
    };
    const core = cores[seed % 5 === 0 ? 1 : 0];
    const stream = guestWith(contents, writes, 1 + (seed % 700));
    const got = migrateInSoftware(core, stream, m, LIMIT, undefined, given);
    const inTime = want !== null && want.endedAt <= m.startAtTicks + LIMIT;
    same(`qemu thread: ${what}: ends`, got.complete || got.givenUpTicks !== null, inTime);
    same(`qemu thread: ${what}: given up`, got.givenUpTicks, want?.givenUpAt ?? null);
    if (want === null || !inTime || want.givenUpAt !== null) continue;
    agree(got, thread, m, what);
    if (known.mode !== "sized") {
      const { placed } = thread.memory!;
      same(`qemu thread: ${what}: bytes at the destination`, differs(core, known.sampleEvery, placed), -1);
      found.compared++;
    }
    const { xbzrlePages, xbzrleMisses, xbzrleOverflows, xbzrleSame } = got;
    found.deltas += xbzrlePages - xbzrleOverflows - xbzrleSame;
    found.xbzrleMisses += xbzrleMisses;
    found.xbzrleOverflows += xbzrleOverflows;
    found.xbzrleSame += xbzrleSame;
  }
  if (process.env.DPUSIM_RUNS !== undefined || count < 20) return;
  for (const [name, times] of Object.entries(found))
    claim(`qemu thread: encoded: ${name}`, times > (count * 2) / 5, times, `above ${(count * 2) / 5}`);
}
