// SPDX-License-Identifier: Apache-2.0
// Encryption before the request: what is so of every run.
import * as abi from "../../../assembly/abi.ts";
import { type Result, simulate } from "../../../src/index.ts";
import { generated, inputOf, stat } from "../migrate.ts";
import { sameMemory, sourceAlone } from "./alone.ts";
import { claim, same } from "./expect.ts";

const PAGES = 500;
const MIX = { zero: 10, text: 50, random: 40 };
/** The bit of a nonce that says that its record was made before the request. */
const OF_STORE = 2n ** 63n;
/** Bytes in which a few pages fit. */
const SMALL = 100_000;

/** A run that completes with every invariant whole. */
function whole(what: string, perSecond: number, more: object): Result {
  const guest = { ...generated(PAGES, perSecond, MIX), vcpus: 2 };
  const result = simulate(inputOf({ guest, content: "full", migration: { startAt: "4 ms" }, ...more }));
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) throw new Error(`invariant ${broken.name}: ${what}`);
  same(`ahead: ${what}`, result.migration.status, "completed");
  same(`pages different: ${what}`, result.check.pagesDifferent, 0);
  return result;
}

/** Records that a script got of a source's card alone; it has opened each with its nonce. */
export function checkStoredRecords(): void {
  const got = sourceAlone(["encrypt.when=before-request", "migration.startAt=300 us"]);
  sameMemory(got);
  const stored = got.came.filter(({ nonce }) => nonce >= OF_STORE);
  claim("ahead: records that lay in the store", stored.length > 20, stored.length, "more than 20");
  same(
    "ahead: records of it, as the card counts",
    stored.length,
    got.alone.core.counter(0, abi.C_STORE_SENT),
  );
  const numbers = stored.map(({ number }) => number);
  same(
    "ahead: their numbers on the link",
    numbers,
    numbers.map((_, i) => i + 1),
  );
  const link = got.came.filter(({ link: of }) => of === 1);
  same("ahead: nonces that came twice", link.length - new Set(link.map(({ nonce }) => nonce)).size, 0);
  const others = link.filter(({ nonce }) => nonce < OF_STORE).map(({ number }) => number);
  const last = Math.max(...others);
  same("ahead: numbers of all others, without a gap", last, others.length);
}

const AHEAD = { encrypt: { when: "before-request" } };

/** Pages that nobody writes go as they lie, others are coded again, and a store has its room. */
export function checkStored(): void {
  const still = whole("a guest that does not write", 0, AHEAD);
  same("ahead: pages of it that are sent as they were", still.migration.ahead!.sentPages, PAGES);
  same("ahead: pages of it that are read", stat(still, "source.card.dma.read.pages"), PAGES);
  const bytes = (of: Result): number => stat(of, "source.link.recordBytes.pages");
  const inline = whole("the same inline", 0, {});
  same("ahead: bytes beside those of inline", bytes(still) - bytes(inline), 8 * PAGES);

  const busy = whole("a guest that writes", 60_000, AHEAD).migration.ahead!;
  claim("ahead: stale pages", busy.stalePages > 50 && busy.sentPages > 50, busy.stalePages, "some of many");
  same("ahead: pages stored", busy.storedPages, busy.sentPages + busy.stalePages);

  const source = { card: { preset: "dpu-ref", dram: { store: `${SMALL} B` } } };
  const { storeBytes, storeFullNs } = whole("a small store", 0, { ...AHEAD, source }).migration.ahead!;
  claim("ahead: a store that is full", storeFullNs !== null, storeFullNs, "a time");
  const fits = storeBytes <= SMALL && storeBytes + 4136 > SMALL;
  claim("ahead: bytes of the store", fits, storeBytes, `what fits ${SMALL}`);
}

/** Slow enough that a byte of DRAM is seen: 1 ns. */
const SLOW_DRAM = ["source.card.dram.bandwidth=8 Gbit/s", "content=sized", "encrypt.when=before-request"];

/**
 * Framer of a store, by its account: a record of n bytes goes in for 40 + n bytes of DRAM and comes out for
 * as many, and all others pass twice, as long as they are on the link. With 16 of header, 8 of nonce and 16
 * of tag a record of the store has 40 + n bytes there too.
 */
export function checkCopies(): void {
  const guest = { ...generated(PAGES, 0, MIX), vcpus: 2, deviceState: "4 KiB" };
  const result = simulate(inputOf({ guest, migration: { startAt: "9 ms" } }, { sets: SLOW_DRAM }));
  const { storedPages, sentPages } = result.migration.ahead!;
  same("ahead: pages in and out", [storedPages, sentPages], [PAGES, PAGES]);
  const { pages, state } = result.link.dataLinks!;
  const busy = Number(result.units["source.card.framer"]!.busyTicks) / abi.TICKS_PER_NS;
  same("ahead: ns in which the framer copies", busy, 2 * (pages.recordBytes + state.recordBytes));
}
