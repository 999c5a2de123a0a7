// SPDX-License-Identifier: Apache-2.0
// What software costs a host by cycles (`software: { costs: cycles }`), and `dpusim validate host`: costs by
// formula to the tick, runs within their limits, published figures, and what moves them.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Result } from "../src/index.ts";
import { HOST_RUNS, type HostRun, onLine, runHost, suite } from "../src/validate/host.ts";
import { published } from "../src/validate/published.ts";
import {
  BASE,
  checkHostCosts,
  checkSoftwareBehindCards,
  costsOf,
  multifdOf,
} from "./lib/claims/host-costs.ts";
import { generated, inputOf, migrate } from "./lib/migrate.ts";
import { linesOf } from "./lib/scenario.ts";

const MIX = { zero: 30, text: 0, random: 70 };
const SMALL = {
  ...BASE,
  guest: { ...generated(4000, 20_000, MIX), vcpus: 2 },
  link: { rate: "5 Gbit/s" },
  migration: { downtimeLimit: "3 ms" },
};
test("behind cards a core runs software as a fresh one does", checkSoftwareBehindCards);

test("costs are the formula's to the tick, for random hosts and at the limits", () => checkHostCosts(60));

/** Seconds that threads and link need for a run at the least (docs/model.md section 16). */
function least(run: HostRun, bytes: number): number {
  const cycles = { check: 205, send: 824, zstd: 9838, receive: 2227, unzstd: 3237 };
  const { normal, zero } = costsOf(cycles, [3000, 3000], run.ratioPerMille ?? null);
  const pages = Math.ceil(bytes / 4096);
  const zeros = (pages * (run.zero ?? 0)) / 100;
  const perSecond = 1.024e15;
  const threads = ((pages - zeros) * normal + zeros * zero) / run.streams / perSecond;
  const left = run.ratioPerMille === undefined ? 4096 : Math.round(4_096_000 / run.ratioPerMille);
  // 1538 B on the wire for 1448 of TCP
  const wire = ((pages - zeros) * left * 8 * 1538) / 1448 / (run.gbits * 1e9);
  const queued = run.chunks === true ? 0 : pages * 2e-7;
  return Math.max(threads, wire, queued);
}

test("the board takes what the formula says: threads, link or queue, whichever is longest", () => {
  const bytes = 2 ** 30;
  for (const name of ["qat-none", "qat-zstd", "vmotion-1", "vmotion-3", "ch-8-skip", "xen-zstd"]) {
    const run = HOST_RUNS[name]!;
    const { total } = runHost(run, bytes);
    const want = least(run, bytes);
    assert.ok(total >= want && total < 1.02 * want + 0.01, `${name}: ${total} s, ${want}`);
  }
});

test("two smaller guests give the line on which a larger one lies", () => {
  for (const name of ["vmotion-2", "xen-zstd", "ch-1-half"]) {
    const run = HOST_RUNS[name]!;
    const whole = runHost(run, 6 * 2 ** 30);
    const line = onLine(run, 6 * 2 ** 30, [2 ** 30, 2 ** 31]);
    for (const key of ["total", "sender", "receiver"] as const)
      assert.ok(Math.abs(line[key] / whole[key] - 1) < 0.005, `${name} ${key}: ${line[key]}, ${whole[key]}`);
  }
});

test("published figures: each within its tolerance; which of them a parameter was set from", () => {
  const points = [...suite.points()];
  assert.is(points.length, published("host").length);
  assert.is(new Set(points.map(({ id }) => id)).size, points.length);
  for (const { id, within, simulated } of points) assert.ok(within, `${id}: ${simulated}`);
  const set = points.filter(({ calibration }) => calibration).map(({ id }) => id);
  assert.equal(set, ["qat-none-total", "qat-none-send", "qat-none-recv", "ch-1-skip"]);
  // what is judged and was not set
  const judged = points.filter((p) => !p.calibration && !p.tolerance.startsWith("none"));
  assert.ok(judged.length >= 13, String(judged.length));
});

test("controls: without compression the link limits, with it the cores; devices take that away", () => {
  const bytes = 2 ** 30;
  const run = (name: string, own: Partial<HostRun> = {}) => runHost({ ...HOST_RUNS[name]!, ...own }, bytes);
  const none = run("qat-none");
  const zstd = run("qat-zstd");
  const devices = run("qat-qat");
  // more streams help where cores limit, and nowhere else
  assert.ok(run("qat-none", { streams: 16 }).total > 0.98 * none.total);
  assert.ok(run("qat-zstd", { streams: 12 }).total < 0.75 * zstd.total);
  assert.ok(devices.total < zstd.total && devices.sender < 0.1 * zstd.sender);
  // on a link ten times as fast compressing loses, on a slow one it wins
  assert.ok(run("qat-zstd", { gbits: 100 }).total > 2 * run("qat-none", { gbits: 100 }).total);
  assert.ok(run("xen-1g-zstd").total < 0.5 * run("xen-1g-none").total);
  assert.ok(run("xen-zstd").total > run("xen-none").total);
});

/** A key, another value, and what is beside it. */
const KEYS: readonly (readonly [string, string, number | null])[] = [
  ["source.host.qemu.checkPerKiB", "900 cycles", null],
  ["source.host.qemu.sendPerKiB", "9000 cycles", null],
  ["source.host.qemu.zstdPerKiB", "900 cycles", 2400],
  ["destination.host.qemu.checkPerKiB", "900 cycles", null],
  ["destination.host.qemu.receivePerKiB", "900 cycles", null],
  ["destination.host.qemu.unzstdPerKiB", "900 cycles", 2400],
  ["destination.host.cpu.clock", "1 GHz", null],
];

test("every key of it makes another run, and counts by cycles alone", () => {
  const of = (ratio: number | null, sets: string[], costs = "cycles"): Result =>
    migrate({ ...SMALL, software: { costs, ...multifdOf(ratio) } }, { sets });
  const preset = (key: string): string => `${key.split(".")[0]}.host.preset=gen5-host`;
  for (const [key, value, ratio] of KEYS) {
    const sets = [preset(key), `${key}=${value}`];
    assert.is.not(of(ratio, sets).fingerprint, of(ratio, [preset(key)]).fingerprint, key);
  }
  const said = /checkPerKiB: counts with software\.costs: cycles; write that, or remove it$/;
  assert.throws(
    () => of(null, [preset(KEYS[0]![0]), "source.host.qemu.checkPerKiB=900 cycles"], "times"),
    said,
  );
});

/** A section, other keys, and what is said. */
const REFUSED: readonly (readonly [object, string[], RegExp])[] = [
  [{ multifd: { compression: "zlib" } }, [], /zlib has no cycles; write none or zstd, or costs: times$/],
  [{ multifd: { page: "2 us" } }, [], /multifd\.page: is computed with costs: cycles; remove it$/],
  [{ multifd: { zeroPage: "2 us" } }, [], /multifd\.zeroPage: is computed with costs: cycles; remove it$/],
  [
    {},
    ["source.host={ preset: gen5-host, qemu: { zeroPage: 1 us } }"],
    /qemu\.zeroPage: counts with software\.costs: times; write that, or remove it$/,
  ],
];

test("what has no cycles is refused in a line", () => {
  for (const [own, sets, said] of REFUSED) {
    const lines = linesOf(() => inputOf({ ...SMALL, software: { costs: "cycles", ...own } }, { sets }));
    assert.is(lines.length, 1, lines.join(" | "));
    assert.match(lines[0]!, said);
  }
});

test.run();
