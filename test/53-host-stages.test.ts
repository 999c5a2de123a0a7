// SPDX-License-Identifier: Apache-2.0
// Stages of pages on the host, before its front-end hands them over: every message of pages to the tick, what
// cores of the host have worked, what vCPUs lose, and what is refused.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { checkHanded, checkWorkers, HANDED } from "./lib/claims/handed.ts";
import { sameBooks } from "./lib/configurations.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { linesOf, resolveText } from "./lib/scenario.ts";
import { runText } from "./lib/timeline.ts";

for (const seed of seeds(8)) {
  test(`pages handed over by random hosts, each message at its tick: ${seed}`, () => {
    const next = generator(seed);
    const one = <T>(...of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
    const host = "source.host.";
    const compress = one("host", "host", "host-engine");
    const workers = one(1, 2, 3, 7, 16);
    const sets = [
      `placement={ zero: host, compress: ${compress}, workers: ${workers} }`,
      `guest.vcpus=${one(1, 3, 8)}`,
      `${host}cpu.clock=${one("2.3 GHz", "700 MHz")}`,
      `${host}cpu.cores=${one(0, workers, workers + 1, workers + 4)}`,
      `${host}stages.job=${one(0, 500, 9001)} cycles`,
      `${host}stages.zeroPerKiB=${one(0, 64, 801)} cycles`,
      `${host}stages.lz4PerKiB=${one(1, 3400, 20011)} cycles`,
      `${host}stages.lz4RawPerKiB=${one(0, 600, 5003)} cycles`,
      `seed=${seed}`,
    ];
    // sizes of both are known, and of the first bytes are carried too
    if (compress === "host-engine")
      sets.push(`compress.engine=${one("iaa-spr", "qat-gen4")}`, "content=sized");
    else sets.push("compress.engine=lz4-sw", `content=${one("full", "sampled", "sized")}`);
    const run = runText(HANDED, { sets });
    assert.is(run.stop, abi.STOP_DONE, `invariant ${run.core.global("brokenInvariant")}`);
    assert.is(checkHanded(run), 9, "messages of 15 pages");
    assert.is(Number(run.core.notHome()), 0);
    sameBooks("naive", run.core, runText(HANDED, { sets, variant: "naive" }).core);
  });
}

const PAGES = 1000;
const SOFTWARE = { compress: { engine: "lz4-sw" }, internal: { pages: "vsock" }, content: "full" };
const ON_HOST = "placement={ zero: host, compress: host }";
const MIX = { zero: 20, text: 60, random: 20 };

function good(scenario: object, sets: readonly string[]): Result {
  const result = migrate(scenario, { sets });
  assert.ok(isGood(result), JSON.stringify(result.check.invariants.filter(({ held }) => !held)));
  return result;
}

test("formula: W workers code W / cycles pages a second, until handing over is the limit", () => {
  const slow = "source.host.stages.lz4RawPerKiB=40000 cycles";
  const scenario = { ...SOFTWARE, guest: generated(PAGES, 0), content: "sized" };
  const times = [1, 3, 5, 15].map((workers) => {
    const sets = [`placement={ zero: host, compress: host, workers: ${workers} }`, slow];
    const result = good(scenario, sets);
    return { workers, ms: result.migration.rounds[0]!.durationNs / 1e6, cpu: result.hostCpu };
  });
  // 2.3 GHz of snb-e5-2630: 500 + 4 and 500 + 160,000 cycles a page; 15 pages a message are shared out
  const page = (500 + 4 + 500 + 4 * 40_000) / 2.3e6;
  for (const { workers, ms, cpu } of times) {
    const least = (PAGES / 15) * Math.ceil(15 / workers) * page;
    assert.ok(ms > 0.99 * least && ms < 1.05 * least + 3, `${ms} ms with ${workers}, not ${least}`);
    // whoever works, the work is the same, and all of it is the host's
    assert.ok(cpu.sourceCoreSeconds * 1000 > PAGES * page, `${cpu.sourceCoreSeconds} s`);
    assert.ok(cpu.sourceCoreSeconds * 1000 < PAGES * page + 4);
  }
});

test("sizes are liblz4's, and zero pages bring nothing, wherever it is done", () => {
  const scenario = { ...SOFTWARE, guest: generated(300, 0, MIX) };
  const [card, host] = [good(scenario, []), good(scenario, [ON_HOST])];
  // device state alone goes as it stands from the host
  const records = "source.link.recordBytes.pages";
  assert.is(stat(card, records), stat(host, records));
  assert.is(stat(card, "source.card.zero.pages"), stat(host, "source.card.zero.pages"));
  // the card has less to fetch and nothing to code
  const [fetched, coded] = ["source.pcie.down.dataBytes", "source.card.compressor.pages"];
  assert.ok(stat(host, fetched!) < 0.8 * stat(card, fetched!));
  assert.is(stat(host, coded!), 0);
  assert.ok(stat(card, coded!) > 200);
  assert.ok(host.hostCpu.sourceCoreSeconds > card.hostCpu.sourceCoreSeconds);
});

test("an engine beside the CPU frees its cores", () => {
  const scenario = { ...SOFTWARE, content: "sized", guest: generated(300, 0, MIX) };
  const engine = ["placement={ zero: host, compress: host-engine }", "compress.engine=qat-gen4"];
  const [cores, beside] = [[ON_HOST], engine].map((sets) => good(scenario, sets));
  const compress = (result: Result): number => stat(result, "source.stages.compressNs");
  assert.ok(compress(cores!) > 5 * compress(beside!));
  assert.ok(cores!.hostCpu.sourceCoreSeconds > beside!.hostCpu.sourceCoreSeconds);
});

test("guests feel workers that share their cores, and no others", () => {
  const guest = { ...generated(512, 400_000, MIX), vcpus: 4 };
  const migration = { downtimeLimit: "20 us", maxRounds: 3, onTimeout: "force", startAt: "2 ms" };
  const scenario = { ...SOFTWARE, content: "sized", guest, migration, tracker: { kind: "bitmap" } };
  const of = (cores: number): Result =>
    good(scenario, [
      "placement={ zero: host, compress: host, workers: 3 }",
      `source.host.cpu.cores=${cores}`,
    ]);
  const [enough, tight] = [of(7), of(4)];
  assert.is(enough.guest.cpuStallNs, 0);
  assert.ok(tight.guest.cpuStallNs! > 0 && tight.guest.slowdown! > enough.guest.slowdown!);
});

test("the claims that mistakes in the core are held against", checkWorkers);

const REFUSED: readonly [set: string, line: RegExp][] = [
  [
    "internal.pages=dma",
    /placement\.zero: needs a driver that hands pages over; write internal: \{ pages: vsock \}$/,
  ],
  ["compress.engine=lz4-hw", /placement\.compress: is liblz4; write compress: \{ engine: lz4-sw \}$/],
  ["placement.zero=card", /placement\.zero: comes before compress, which the host does; write host$/],
  ["placement.compress=card", /placement\.zero: leaves compress to the card; write compress: off, or host$/],
  [
    "placement.encrypt=here",
    /placement\.encrypt: here is not known here; there are: card, card-core, host, host-engine$/,
  ],
  ["placement.workers=17", /placement\.workers: 17 is out of range; write 1 to 16$/],
  ["placement={ workers: 2 }", /placement\.workers: have nothing to do; write zero: host, or remove it$/],
  [
    "source.host.cpu.cores=1",
    /placement\.workers: are more than the source's host has cores; write at most 1$/,
  ],
];

test("what does not fit is refused by name", () => {
  const on = ["placement={ zero: host, compress: host, workers: 2 }", "compress.engine=lz4-sw"];
  resolveText(HANDED, { sets: on });
  for (const [set, line] of REFUSED)
    assert.match(linesOf(() => resolveText(HANDED, { sets: [...on, set] }))[0]!, line);
  const modelled = [...on, "placement.compress=host-engine", "compress.engine=vitis-lz4-8e"];
  assert.match(
    linesOf(() => resolveText(HANDED, { sets: modelled }))[0]!,
    /is an engine of a given rate; write e\.g\. compress: \{ engine: qat-gen4 \}$/,
  );
});

test.run();
