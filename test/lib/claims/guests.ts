// SPDX-License-Identifier: Apache-2.0
// Several guests of one server: whose rounds they are, beside the slow reference; what is so of every run.
import * as abi from "../../../assembly/abi.ts";
import { guestWord, partsOf } from "../../../src/guest-parts.ts";
import { type Result, type SimulateInput, simulate } from "../../../src/index.ts";
import { readCore } from "../../../src/result/reading.ts";
import type { GuestStream } from "../../../src/trace/events.ts";
import { generated, inputOf } from "../migrate.ts";
import { generator } from "../random.ts";
import { type Guest, type Rule, type Times, type Turn, turnsOf } from "../reference/evacuation.ts";
import { same } from "./expect.ts";

export const ORDERS = ["fair", "shortest-dirty-first", "one-after-another"] as const;

/** Nobody stalls: the tracker is a bitmap, and nothing is flushed. */
export const UNSTALLED = {
  tracker: { kind: "bitmap" },
  source: { host: { preset: "gen5-host", tracker: { tlbFlush: "0 ns" } } },
};

/** The writes of a guest up to a time. */
export function writesOf(stream: GuestStream, until: bigint): Guest["writes"] {
  const writes: { at: bigint; pfn: number }[] = [];
  const fork = stream.fork();
  for (let batch = fork.next(); batch !== null && batch.startTicks <= until; batch = fork.next())
    for (let i = 0; i < batch.count; i++) writes.push({ at: batch.timeTicks[i]!, pfn: batch.pfns[i]! });
  return writes;
}

/** What the reference is told of a run, and what it must say; pages are null where the source never heard. */
function observed({ core, stream, scenario }: SimulateInput) {
  const { rounds } = readCore(core, core.clockNow());
  const guests = partsOf(scenario, stream).map(({ pages }, k) => {
    const suspendedAt = guestWord(core, k, abi.GT_SUSPENDED);
    return { pages, suspendedAt, writes: writesOf(stream.parts![k]!, core.clockNow()) };
  });
  const seen = new Set<number>();
  const times: Times[] = [];
  // when the round before was placed; what follows a guest's last round is decided when it has moved
  let placedAt: bigint | null = null;
  const turns = rounds.map((row) => {
    const guest = Number(row[abi.RL_GUEST]);
    const [startAt, endAt] = [row[abi.RL_START]!, row[abi.RL_END]!];
    const { suspendedAt } = guests[guest]!;
    const last = suspendedAt !== 0n && startAt >= suspendedAt;
    const chosenAt = seen.has(guest) ? (placedAt ?? startAt) : guestWord(core, guest, abi.GT_BEGUN);
    seen.add(guest);
    times.push({ chosenAt, startAt, endAt });
    placedAt = last ? null : endAt;
    return { guest, pages: endAt === 0n ? null : Number(row[abi.RL_NORMAL]! + row[abi.RL_ZERO]!), last };
  });
  return { guests, times, turns };
}

/** A server of two to five small guests. */
function randomServer(seed: number) {
  const random = generator(seed);
  const below = (most: number): number => Math.floor(random() * most);
  const guests = Array.from({ length: 2 + below(4) }, () => {
    const pages = 40 + below(400);
    const rate = below(5) === 0 ? 0 : 20_000 * (1 + below(40));
    const mix = { zero: 10, text: 30, random: 60 };
    const own = generated(pages, rate, mix, 1 + below(pages));
    return { ...own, vcpus: 1 + below(4), deviceState: `${1 + below(30)} KiB` };
  });
  return { guests, limitUs: 20 + below(300), maxRounds: 2 + below(9), gbits: [5, 10, 25][below(3)]! };
}

/** A run in which every invariant holds. */
export function sound(what: string, input: SimulateInput): Result {
  const result = simulate(input);
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) throw new Error(`invariant ${broken.name}: ${what}`);
  same(`pages different: ${what}`, result.check.pagesDifferent, 0);
  return result;
}

/** What the rounds of a run were and must have been. */
export function turnsBeside(seed: number, order: (typeof ORDERS)[number]) {
  const { guests, limitUs, maxRounds, gbits } = randomServer(seed);
  const input = inputOf({
    guests,
    evacuation: { order },
    link: { rate: `${gbits} Gbit/s` },
    content: "sized",
    migration: { downtimeLimit: `${limitUs} us`, maxRounds },
    seed,
    ...UNSTALLED,
  });
  const result = sound(`server ${seed}, ${order}`, input);
  const { guests: given, times, turns } = observed(input);
  const rule: Rule = { order, limitTicks: BigInt(limitUs) * 1_024_000_000n, maxRounds };
  const predicted = turnsOf(given, rule, times);
  const must = predicted.map((turn, i) => (turns[i]!.pages === null ? { ...turn, pages: null } : turn));
  return { result, turns, must };
}

const text = (turns: readonly (Omit<Turn, "pages"> & { pages: number | null })[]): string =>
  turns.map(({ guest, pages, last }) => `${guest}:${pages}${last ? "!" : ""}`).join(" ");

/** Whose rounds they are, how many pages each sends and when a guest stops is the reference's. */
export function checkTurns(): void {
  for (let seed = 1; seed <= 3; seed++) {
    for (const order of ORDERS) {
      const { turns, must } = turnsBeside(seed, order);
      same(`whose rounds they are: server ${seed}, ${order}`, text(turns), text(must));
    }
  }
}

/** Three guests move, and what each sent is what all sent. */
export function checkServer(): void {
  const guests = [
    { ...generated(500, 200_000, undefined, 300), vcpus: 3 },
    { ...generated(200, 50_000, { zero: 20, text: 50, random: 30 }), vcpus: 2, deviceState: "9 KiB" },
    { ...generated(2049, 1000, { zero: 90, text: 0, random: 10 }), deviceState: "100 kB" },
  ];
  for (const order of ORDERS) {
    const migration = { downtimeLimit: "100 us" };
    const result = sound(order, inputOf({ guests, evacuation: { order }, migration }));
    same(`guests that have moved: ${order}`, result.evacuation!.moved, 3);
    const sum = result.guests!.reduce((bytes, one) => bytes + one.migration.ram.transferred, 0);
    same(`bytes of the guests: ${order}`, sum, result.migration.ram.transferred);
    const states = result.guests!.map(({ check }) => check.deviceStateEqual);
    same(`device state of each: ${order}`, states.join(), "true,true,true");
  }
}
