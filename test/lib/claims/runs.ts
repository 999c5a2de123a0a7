// SPDX-License-Identifier: Apache-2.0
// Whole migrations: every invariant must hold, and what docs/model.md says of rounds, stalls and the link.
import * as abi from "../../../assembly/abi.ts";
import { vcpuOf } from "../../../src/feeder.ts";
import { type Progress, type Result, type SimulateInput, simulate } from "../../../src/index.ts";
import { EventFlag, KEEP_CONTENT } from "../../../src/trace/events.ts";
import { generated, inputOf, redis, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

/** Throws with the name of the first invariant that did not hold. */
function sound(result: Result, what: string): Result {
  const broken = result.check.invariants.find(({ held }) => !held);
  if (broken !== undefined) {
    const { name, left, right } = broken;
    throw new Error(`invariant ${name}: ${what}: ${left} beside ${right}`);
  }
  same(`pages different: ${what}`, result.check.pagesDifferent, 0);
  return result;
}

interface Run {
  input: SimulateInput;
  result: Result;
}

/** No migration lasts longer: none has to wait for the timer of a delayed acknowledgement, 40 ms. */
const LONGEST_NS = 40e6;
/** The drain, with such timers, is over by then. */
const DRAINED_NS = 300e6;

/** Runs to the end, which must come in time and be the one expected. */
function run(what: string, scenario: object, status = "completed", sets: string[] = []): Run {
  const input = inputOf(scenario, { sets });
  const inTime = ({ atNs, placedPages }: Progress): void =>
    claim(`ends: ${what}`, atNs <= DRAINED_NS, `${placedPages} pages placed by then`, "the end");
  const result = sound(simulate(input, inTime), what);
  const { totalTimeNs } = result.migration;
  claim(`ends: ${what}`, totalTimeNs <= LONGEST_NS, `${totalTimeNs} ns`, "at most 40 ms");
  same(`status: ${what}`, result.migration.status, status);
  return { input, result };
}

const CARDS = { source: { card: "dpu-ref" }, destination: { card: "dpu-ref" } };
const FAST = { preset: "ethernet-100g" };
const HOT = { ...redis, tile: 2, speed: 400, deviceState: "96 KiB" };

/** Shipped recordings in every mode: memory, device state, accounts, bounds, everything home. */
export function checkMigrations(): void {
  run("tiny", { guest: { trace: "example.mdt", deviceState: "64 KiB" } });
  const limits = {
    migration: { downtimeLimit: "20 us", maxRounds: 4, onTimeout: "force" },
    link: FAST,
    ...CARDS,
    encrypt: { cipher: "aes-256-gcm" },
  };
  const hot = { guest: HOT, ...limits };
  const full = run("hot, full", hot);
  const { length } = full.result.migration.rounds;
  claim("stop rule: pages were sent again", length > 2, `${length} rounds`, "more than 2");
  const sized = run("hot, sized", { ...hot, content: "sized" });
  same("full equals sized: ticks", full.result.elapsedTicks, sized.result.elapsedTicks);
  const bytes = "source.card.compressor.bytesOut";
  same("full equals sized: bytes", stat(full.result, bytes), stat(sized.result, bytes));
  run("plain, rings on the card", { ...hot, compress: "off", encrypt: "off" }, "completed", [
    "source.card.dma.ring=card",
  ]);
  const turning = generated(1200, 60_000, { zero: 50, text: 50, random: 0 });
  run("pages that become zero", {
    guest: turning,
    link: FAST,
    migration: { downtimeLimit: "20 us", maxRounds: 3, onTimeout: "force" },
  });
  run("pages over VSOCK", { ...hot, internal: { pages: "vsock" } });
  // 2048 records of 4 KiB, read at 500 Gbit/s and sent at 100: two engines wait for one place behind them
  const hosts = { source: { host: "gen5-host" }, destination: { host: "gen5-host" } };
  const raw = { guest: generated(2048, 0), link: FAST, content: "sized", ...hosts };
  run("engines that wait for one place take turns", raw);
}

/** Small pools: nothing may be lost, and no bound beaten. */
export function checkPools(): void {
  const guest = generated(600, 0);
  const base = { guest, link: { preset: "ethernet-400g" }, compress: "off", encrypt: "off" };
  const rows: [string, string[]][] = [
    ["32 tags", ["source.card.pcie.tags=32"]],
    [
      "few credits",
      [
        "source.host.pcie.nphCredits=4",
        "destination.host.pcie.phCredits=4",
        "destination.host.pcie.pdCredits=64",
      ],
    ],
    [
      "few credits, no data link layer",
      ["source.host.pcie.nphCredits=4", "destination.host.pcie.phCredits=4", "internal.dll=none"],
    ],
    ["little SRAM", ["source.card.dma.stagingSram=128 KiB", "destination.card.dma.stagingSram=128 KiB"]],
    ["a window of 64 KiB", ["link.window=64 KiB", "link.rtt=200 us"]],
    [
      "a slow receiver",
      ["link.window=64 KiB", "destination.card.pcie.generation=1", "destination.card.pcie.lanes=1"],
    ],
    ["a rate cap", ["link.rateCap=4 Gbit/s"]],
  ];
  for (const [what, sets] of rows) run(what, base, "completed", sets);
  // hosts so fast that six reads at a time are what limits
  const fast = { source: { host: "gen5-host" }, destination: { host: "gen5-host" } };
  const buffer = ["source.card.pcie.completionBuffer=4 KiB", "source.card.dma.descriptorBatch=1"];
  run("a completion buffer of 4 KiB", { ...base, ...fast, guest: generated(1500, 0) }, "completed", buffer);
}

/**
 * Slow start: cwnd begins at 10 MSS and grows by what is acknowledged, so it at most doubles each round trip:
 * N bytes need k with 10 MSS (2^k - 1) >= N. An ACK that waits for its timer (40 ms) would show.
 */
export function checkSlowStart(): void {
  const scenario = { guest: generated(300, 0), compress: "off", encrypt: "off" };
  const link = ["link.preset=ethernet-100g", "link.rtt=1 ms", "link.mtu=1500"];
  const { result } = run("slow start", scenario, "completed", link);
  const bytes = 300 * (4096 + 16);
  const trips = Math.ceil(Math.log2(bytes / (10 * 1448) + 1));
  const first = result.migration.rounds[0]!.durationNs / 1e6;
  // k - 1 trips until the last flight leaves, half for it to arrive, half for the answer
  claim("slow start: no sooner", first >= trips, `${first} ms`, `at least ${trips} round trips of 1 ms`);
  claim("slow start: no timer", first < trips + 3, `${first} ms`, `below ${trips + 3} ms`);
  // 17 records of 4112 bytes fit 10 segments of 8948; 15 fit the 65,535 that a SYN can say
  const jumbo = ["link.preset=ethernet-100g", "link.rtt=1 ms", "link.mtu=9000"];
  const small = { guest: generated(16, 0), compress: "off", encrypt: "off" };
  const { result: sixteen } = run("first flight", small, "completed", jumbo);
  const twice = sixteen.migration.rounds[0]!.durationNs / 1e6;
  claim("first flight: the window of a SYN", twice >= 2, `${twice} ms`, "at least two round trips of 1 ms");
}

/** Rounds: the limit, and the stop rule at both its ends (docs/model.md section 9). */
export function checkRounds(): void {
  const base = { guest: HOT, link: FAST, ...CARDS };
  const never = run(
    "rounds",
    { ...base, migration: { downtimeLimit: "1 ns", maxRounds: 3 } },
    "not-converged",
  );
  same("round limit", never.result.migration.rounds.length, 3);
  const once = run("rounds", { ...base, migration: { downtimeLimit: "10 s", maxRounds: 3 } });
  same("stop rule", once.result.migration.rounds.length, 2);
  // a page is sent again for a mark, and a mark is good for one time
  const rounds = never.result.migration.rounds;
  const again = rounds.slice(1).reduce((n, { normalPages, zeroPages }) => n + normalPages + zeroPages, 0);
  const marked = stat(never.result, "source.guest.faults");
  claim(
    "a mark is taken once",
    again > 0 && again <= marked,
    `${again} pages sent again`,
    `at most ${marked}`,
  );
}

/** In the message of the start, the handshake, the tracker's start, round 1: collected, and placed. */
const FIRST_ROUND_NS = {
  dma: [1000, 35_000, 60_000, 78_000, 82_000, 400_000],
  vsock: [60_000, 80_000, 400_000],
} as const;

/**
 * Deadlines all over a migration of some rounds: a failure ends at its instant; a forced stop suspends the
 * guest after the interrupt or the message of the start that is under way, at most (docs/model.md section 9).
 */
export function checkDeadlines(pages: "dma" | "vsock"): void {
  // a batch of 2048 pages and a part of one: rounds are cut in the middle
  const guest = generated(2300, 400_000, { zero: 60, text: 40, random: 0 });
  const base = { guest, internal: { pages }, link: FAST, ...CARDS, encrypt: "off", content: "sized" };
  const rules = { downtimeLimit: "1 ns", maxRounds: 60 };
  const free = run(`no deadline, ${pages}`, { ...base, migration: { ...rules, onTimeout: "force" } });
  const second = Math.floor(free.result.migration.rounds[1]!.startNs);
  // a round begins with a message: it takes 2 us and more
  for (const time of [...FIRST_ROUND_NS[pages], second + 1500, second + 60_000]) {
    for (const onTimeout of ["fail", "force"]) {
      const what = `deadline ${time} ns, ${onTimeout}, ${pages}`;
      const migration = { ...rules, timeout: `${time} ns`, onTimeout };
      const status = onTimeout === "fail" ? "not-converged" : "completed";
      const { input, result } = run(what, { ...base, migration }, status);
      const host = input.scenario.sides.source.host;
      const at = time * abi.TICKS_PER_NS;
      const log = (index: number): number => Number(input.core.logged(index));
      if (onTimeout === "fail") {
        same(`${what}: end`, log(abi.L_ENDED), at);
        continue;
      }
      claim(`${what}: reason`, /time limit/.test(result.migration.reason!), result.migration.reason, "it");
      const late = log(abi.L_SUSPENDED) - at - host.frontend.suspendTicks;
      const most = Math.max(host.frontend.interruptTicks, host.vsock.messageCostTicks);
      claim(`${what}: suspended`, late >= 0 && late <= most, `${late} ticks late`, `at most ${most}`);
    }
  }
}

/** A request that memory is serving when the books close is charged up to then: 4.096 us at 1 Gbit/s. */
export function checkServed(): void {
  const served = (ns: number): number => {
    const what = `memory served until ${ns} ns`;
    const source = { ...CARDS.source, host: { preset: "snb-e5-2630", memory: { bandwidth: "1 Gbit/s" } } };
    const sides = { source, destination: CARDS.destination };
    const plain = { encrypt: "off", compress: "off", content: "sized", link: FAST };
    const migration = { timeout: `${ns} ns` };
    const scenario = { guest: generated(600, 0), ...sides, ...plain, migration };
    const { result } = run(what, scenario, "not-converged");
    return Number(result.units["source.host.memory.read"]!.busyTicks);
  };
  const first = served(3_000_000);
  claim("busy: memory", first < 3_000_000 * abi.TICKS_PER_NS, first, "less than the time");
  same("busy: memory, 5 us later", served(3_005_000) - first, 5_000 * abi.TICKS_PER_NS);
  same("busy: memory, 100 us later", served(3_100_000) - first, 100_000 * abi.TICKS_PER_NS);
}

/** At the resume, not only after the drain, the destination holds what the source held last. */
export function checkResume(): void {
  const frontend = { resume: "0 us", deviceStatePerKiB: "0 ns", interrupt: "0 us" };
  const host = { preset: "snb-e5-2630", frontend };
  const sides = { source: CARDS.source, destination: { ...CARDS.destination, host } };
  const scenario = {
    guest: { ...HOT, deviceState: "4 KiB" },
    ...sides,
    link: FAST,
    migration: { downtimeLimit: "1 s" },
  };
  const input = { ...inputOf(scenario), sliceTicks: 2000n * BigInt(abi.TICKS_PER_NS) };
  const { core } = input;
  let looked = false;
  simulate(input, () => {
    if (looked || core.logged(abi.L_RESUMED) === 0n) return;
    looked = true;
    const [placed, source] = ["placedVersionsAt", "sourceVersionsAt"].map((name) => core.address(name) >>> 2);
    let late = 0;
    for (let i = 0; i < input.stream.pages; i++)
      late += core.u32[placed! + i] === core.u32[source! + i] ? 0 : 1;
    same("memory at the resume: pages that are late", late, 0);
  });
  claim("memory at the resume", looked, "the end", "seen");
}

/**
 * Stalls: a vCPU that has executed an event of time e after F faults is at e + F x fault at least. Pages
 * first written after the tracker has started fault once each.
 */
export function checkStalls(): void {
  const { input, result } = run("stalls", { guest: { ...HOT, vcpus: 3 }, link: FAST, ...CARDS });
  const { core, scenario } = input;
  const [from, until] = [core.logged(abi.L_SETUP_DONE), core.logged(abi.L_SUSPENDED)];
  const fault = BigInt(scenario.sides.source.host.tracker.writeFaultTicks);
  const vcpus = scenario.guest.vcpus;
  const left = Array.from({ length: vcpus }, (_, v) =>
    Number(core.u64(core.address("vcpusAt") + v * 32 + 8)),
  );
  const touched = left.map(() => new Set<number>());
  const last = left.map(() => 0n);
  const stream = input.stream.fork();
  for (let batch = stream.next(); batch !== null && left.some((n) => n > 0); batch = stream.next()) {
    for (let i = 0; i < batch.count; i++) {
      const v = vcpuOf(batch.pfns[i]!, vcpus);
      if (left[v]! === 0) continue;
      left[v]!--;
      last[v] = batch.timeTicks[i]!;
      const stalls = (batch.flags[i]! & EventFlag.free) === 0;
      if (stalls && last[v]! > from) touched[v]!.add(batch.pfns[i]!);
    }
  }
  for (let v = 0; v < vcpus; v++) {
    const faults = BigInt(Math.max(0, touched[v]!.size - 1));
    const soonest = last[v]! + faults * fault;
    claim(
      `stalls shift vCPU ${v}`,
      soonest <= until && faults > 10n,
      `${soonest} (${faults} faults)`,
      `by ${until}`,
    );
  }
  const faults = stat(result, "source.guest.faults");
  same("stall time", core.counter(0, abi.C_STALL_TICKS), BigInt(faults) * fault);
}

/**
 * Torn pages: after one round that did not converge each page at the destination is the version that it says,
 * though the guest wrote while pages were read.
 */
export function checkVersions(): void {
  const scenario = {
    guest: { ...redis, tile: 4, speed: 4000 },
    tracker: { kind: "bitmap" },
    migration: { downtimeLimit: "1 ns", maxRounds: 1 },
    link: FAST,
    ...CARDS,
  };
  const { input, result } = run("torn pages", scenario, "not-converged");
  claim("pages were torn", stat(result, "source.card.dma.read.torn") > 0, 0, "above 0");
  const { core } = input;
  const { pages } = input.stream;
  const at = core.address("placedVersionsAt") >>> 2;
  const image = core.address("placedImageAt");
  const zero = new Uint8Array(abi.PAGE_BYTES);
  const bodies: Uint8Array[] = Array.from({ length: pages }, () => zero);
  const wanted = core.u32.slice(at, at + pages);
  const stream = input.stream.fork();
  for (const block of stream.initial()) {
    for (let i = 0; i < block.count; i++) bodies[block.firstPfn + i] = block.content(i).slice();
  }
  const versions = new Uint32Array(pages);
  for (
    let batch = stream.next();
    batch !== null && batch.startTicks <= core.clockNow();
    batch = stream.next()
  ) {
    for (let i = 0; i < batch.count; i++) {
      const pfn = batch.pfns[i]!;
      if (versions[pfn]!++ >= wanted[pfn]!) continue;
      if (batch.contentIds[i] !== KEEP_CONTENT) bodies[pfn] = batch.content(i)!.slice();
    }
  }
  for (let pfn = 0; pfn < pages; pfn++) {
    const placed = core.u8.subarray(image + pfn * abi.PAGE_BYTES, image + (pfn + 1) * abi.PAGE_BYTES);
    const equal = Buffer.compare(placed, bodies[pfn]!) === 0;
    claim("a placed page is its version", equal, `page ${pfn}`, `version ${wanted[pfn]}`);
  }
}
