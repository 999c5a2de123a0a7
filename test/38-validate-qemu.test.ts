// SPDX-License-Identifier: Apache-2.0
// `dpusim validate qemu`: recorded migrations of QEMU 10, and recordings of a user's own.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MdtWriter } from "../src/trace/mdt-writer.ts";
import { memorySink } from "../src/trace/sink.ts";
import { replay, suite } from "../src/validate/qemu.ts";
import { readTruth, shippedTruth } from "../src/validate/qemu-truth.ts";
import type { Point } from "../src/validate/types.ts";
import { dpusim } from "./lib/cli.ts";

const points: Point[] = [...suite.points()];
const TRUTH = "sim/published/qemu-truth.json";

test("every recorded run is within its tolerance: bytes, time, synchronisations", () => {
  const { runs, leftOut } = shippedTruth();
  assert.equal([runs.length, leftOut], [29, []]);
  const judged = points.filter(({ tolerance }) => !tolerance.startsWith("none"));
  assert.ok(judged.length > 100, String(judged.length));
  const [rounds, whole] = [true, false].map((is) =>
    judged.filter(({ id }) => id.includes(":iteration.") === is),
  );
  for (const { id, within, expected, simulated } of whole!)
    assert.ok(within, `${id}: ${expected}, ${simulated}`);
  // a recorded host that stalls adds a window of 100 ms to an iteration: docs/validation.md names them
  const outside = rounds!.filter(({ within }) => !within);
  assert.ok(outside.length <= rounds!.length / 20, outside.map(({ id }) => id).join(" "));
  for (const { expected, simulated } of outside) assert.ok(Math.abs(simulated! - expected!) < 200);
});

test("bytes are not the same for every run, and within 2 % in the median", () => {
  const bytes = points.filter(({ quantity }) => quantity === "ram.transferred");
  assert.is(bytes.length, 29);
  const errors = bytes.map(({ errorPercent }) => Math.abs(errorPercent!)).sort((a, b) => a - b);
  assert.ok(errors[14]! < 2, String(errors));
  assert.ok(new Set(bytes.map(({ simulated }) => simulated)).size === 29);
});

test("another bandwidth, another downtime limit, another trace are outside", () => {
  const { runs } = shippedTruth();
  const named = (name: string) => runs.find((run) => run.name === name)!;
  const run = named("A-bw24");
  const right = replay(run);
  const off = (got: number, want: number): number => Math.abs(got / want - 1);
  assert.ok(off(right.transferredBytes, run.transferred_bytes) < 0.05);
  const slower = replay({ ...run, max_bandwidth: 12 * 2 ** 20 });
  assert.ok(slower.totalTicks > (right.totalTicks * 3n) / 2n);
  const other = replay({ ...run, tracePath: named("C-wss96-bw24").tracePath });
  assert.ok(off(other.transferredBytes, run.transferred_bytes) > 0.2);
  const strict = replay({ ...run, params: { "downtime-limit": 30 } });
  assert.ok(strict.transferredBytes > 1.02 * right.transferredBytes);
  assert.ok(3n * strict.downtimeTicks < right.downtimeTicks);
});

test("auto-converge as it was recorded: 20, 30, 40 %; none without the capability", () => {
  const run = shippedTruth().runs.find(({ name }) => name === "F-autoconv-bw12")!;
  const percents = (caps: string[]): number[] => {
    const { rounds } = replay({ ...run, caps });
    return [...new Set(rounds.map(({ throttlePercent }) => throttlePercent))];
  };
  const recorded = run.throttle_events.map(([, percent]) => percent ?? 0);
  assert.equal(percents(run.caps).slice(1, 3), recorded.slice(0, 2));
  assert.equal(percents([]), [0]);
});

test("XBZRLE and multifd as recorded; without them the run is another's", () => {
  const named = (name: string) => shippedTruth().runs.find((run) => run.name === name)!;
  const bytesOf = (name: string, change: object) => replay({ ...named(name), ...change }).transferredBytes;
  const off = (name: string, change: object): number =>
    bytesOf(name, change) / named(name).transferred_bytes - 1;
  // a first send of 8,048 of 11,480 pages misses; a cache of one page misses nearly all
  const run = named("E-rnd-xbzrle-bw24");
  const misses = replay({ ...run, params: { "xbzrle-cache-size": 4096 } }).xbzrleMisses;
  assert.ok(misses > 1.3 * run.xbzrle!["cache-miss"], String(misses));
  assert.is(replay({ ...run, caps: [] }).xbzrleMisses, 0);
  assert.ok(off("H-redis-xbzrle-bw16", { caps: [] }) > off("H-redis-xbzrle-bw16", {}) + 0.02);
  // zstd against none; channels that send more than the limit against a thread that does not
  const zstd = "E-text-multifd-zstd-bw24";
  assert.ok(off(zstd, { params: { "multifd-compression": "none" } }) > 1.5);
  const none = named("E-text-multifd-none-bw24");
  const rate = (caps: string[], params = none.params): number => {
    const { rounds } = replay({ ...none, caps, params });
    const [first] = rounds;
    return first!.bytes / (Number(first!.endTicks - first!.startTicks) / 1.024e15) / 2 ** 20;
  };
  const recorded = 33.5; // MiB/s under a limit of 24
  assert.ok(Math.abs(rate(none.caps) / recorded - 1) < 0.1, String(rate(none.caps)));
  assert.ok(rate([]) < 26, String(rate([])));
  // more channels that compress, more under way
  const zstdBy = (channels: number): number =>
    rate(none.caps, { "multifd-channels": channels, "multifd-compression": "zstd" });
  assert.ok(zstdBy(6) > 1.15 * zstdBy(2), `${zstdBy(6)} ${zstdBy(2)}`);
});

test("post-copy as recorded, after the third synchronisation; without it the rest takes longer", () => {
  const run = shippedTruth().runs.find(({ name }) => name === "G-postcopy-bw12")!;
  const on = replay(run);
  const within = (got: number, want: number, share: number): void =>
    assert.ok(Math.abs(got / want - 1) < share, `${got}, ${want}`);
  within(on.postcopyBytes, run.postcopy_bytes, 0.1);
  within(on.precopyBytes, run.precopy_bytes, 0.05);
  assert.is(on.syncs, run.iterations);
  const off = replay({ ...run, caps: [] });
  // what is left goes at 12 MiB/s then, not at once
  const seconds = (off.totalTicks - on.totalTicks) / BigInt(1.024e15 / 100);
  assert.ok(seconds > 70n && off.postcopyBytes === 0, `${seconds} hundredths`);
});

/** A trace of a guest of so many pages that writes nothing from 1 us on. */
function idleTrace(file: string, pages: number): void {
  const sink = memorySink();
  const writer = new MdtWriter(sink, {
    pages,
    pageShift: 12,
    contents: "none",
    nominalEpochNs: 20_000_000,
    metadata: { t_migrate_start_us: 1000 },
    deltas: false,
    compress: false,
  });
  writer.epoch(1, Uint32Array.of(0), null);
  writer.epoch(2_000_000, Uint32Array.of(), null);
  writer.finish();
  writeFileSync(file, sink.bytes());
}

test("a guest that ends before the place of page tables: nothing is sent from behind its memory", () => {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-small-"));
  try {
    const [first] = shippedTruth().runs;
    const tracePath = join(folder, "small.mdt");
    const [pages, roms] = [4096, 130];
    idleTrace(tracePath, pages);
    const total = (pages + roms) * 4096;
    const run = { ...first!, name: "small", tracePath, guest_mem_mib: 16, total_ram_bytes: total, caps: [] };
    const got = replay({ ...run, params: { "downtime-limit": 30 }, total_ms: 2000 });
    assert.ok(got.complete && got.rounds.length > 1);
    // nothing is written: each page goes once, whatever a round is long
    assert.is(got.normalPages + got.zeroPages, pages + roms);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("recordings of one's own: those that can be played are, the others are named", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-truth-"));
  try {
    const truth = JSON.parse(readFileSync(TRUTH, "utf8"));
    const [first] = truth.runs.filter((run: { name: string }) => run.name === "C-wss8-bw24");
    const file = join(folder, "mine.json");
    const write = (runs: unknown[]): void => writeFileSync(file, JSON.stringify({ ...truth, runs }));
    copyFileSync(`sim/traces/qemu/${first.trace_file}`, join(folder, first.trace_file));
    write([
      first,
      { ...first, name: "lost", trace_file: "nowhere.mdt" },
      { ...first, name: "rdma", caps: ["rdma"] },
    ]);
    const { code, stdout, stderr } = await dpusim(["validate", "qemu", "--truth", file, "--json"]);
    assert.is(code, 0, stderr);
    assert.match(stderr, /lost: nowhere.mdt is not beside the file/);
    assert.match(stderr, /rdma: rdma is not modelled/);
    const mine: Point[] = JSON.parse(stdout);
    const wanted = points.filter(({ id }) => id.startsWith("C-wss8-bw24:"));
    // what was found in the shipped runs is put to the test by others
    assert.equal(
      mine,
      wanted.map((one) => ({ ...one, calibration: false })),
    );
    // a recording that cannot be true is found out
    write([{ ...first, transferred_bytes: first.transferred_bytes * 2 }]);
    assert.is((await dpusim(["validate", "qemu", "--truth", file])).code, 1);
    write([{ ...first, max_bandwidth: "24" }]);
    const bad = await dpusim(["validate", "qemu", "--truth", file]);
    assert.is(bad.code, 2);
    assert.match(bad.stderr, /runs\.0\.max_bandwidth/);
    assert.throws(() => readTruth(join(folder, "none.json")), /ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const wrong = await dpusim(["validate", "tcp", "--truth", TRUTH]);
  assert.equal([wrong.code, /only the suite qemu/.test(wrong.stderr)], [2, true]);
});

test.run();
