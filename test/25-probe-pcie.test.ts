// SPDX-License-Identifier: Apache-2.0
// `dpusim probe pcie`: what its options do, what is in the JSON, what is refused.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { InputError } from "../src/cli/errors.ts";
import { type ProbePcieOptions, probePcieCommand } from "../src/cli/probe-pcie.ts";
import { MPS } from "../src/scenario/keys.ts";
import { presetNames } from "../src/scenario/presets.ts";
import { resolveSide } from "../src/scenario/resolve.ts";
import { dpusim, projectRoot } from "./lib/cli.ts";

/** What the command line gives without options. */
const PLAIN: ProbePcieOptions = {
  ...{ host: "snb-e5-2630", card: "nfp6000-e5", op: "read", size: "64", pattern: "random" },
  ...{ cache: "warm", numa: "local", iommu: "off", measure: "bandwidth", dll: "explicit", jitter: "on" },
  ...{ seed: "1", json: true },
};

const version = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).version;

interface Answer {
  readonly asked: Readonly<Record<string, string | number | boolean | null>>;
  readonly latencyNs: Record<"min" | "median" | "mean" | "p95" | "p999" | "max", number>;
  readonly [name: string]: unknown;
}

function answer(options: Partial<ProbePcieOptions>): Answer {
  return JSON.parse(probePcieCommand({ ...PLAIN, ...options }, version));
}

test("the command line: defaults are those above, --jitter is on or off", async () => {
  const { stdout, stderr } = await dpusim(["probe", "pcie", "--json"]);
  assert.equal([JSON.parse(stdout), stderr], [answer({}), ""]);
  const help = await dpusim(["probe", "pcie", "--help"]);
  assert.match(help.stdout, /--jitter <state> [\s\S]*choices: "on", "off", default: "on"/);
});

test("--jitter off: every read alone takes the same time, 560.0 ns by the formula; on draws", () => {
  // see 38-probe-pcie: the same sum, to the tick, without data link layer packets
  const alone = { measure: "latency", dll: "none", operations: "300" } as const;
  const [off, on] = [answer({ ...alone, jitter: "off" }), answer(alone)];
  const there = 38_912_000 + 76_800_000 + 130_000 + 3_120_000 + 71_680_000 + 1_538_404;
  const ns = (there + 288_768_000 + 71_680_000 + 84 * 135_417 + 9_472_000) / 1_024_000;
  for (const one of Object.values(off.latencyNs)) assert.ok(Math.abs(one - ns) < 1e-6, `${one} of ${ns}`);
  assert.ok(on.latencyNs.max - on.latencyNs.min > 50);
  assert.equal([off.asked.jitter, on.asked.jitter], ["off", "on"]);
});

test("--window: 8192 B, or one operation where that is more", () => {
  const windows = ["64", "8193 B", "64kB"].map(
    (size) => answer({ size, operations: "100" }).asked.windowBytes,
  );
  assert.equal(windows, [8192, 8193, 64_000]);
});

test("--relaxed and --load change the answer where they are taken", () => {
  const writes = { op: "write", size: "256", iommu: "4KiB", window: "16 MiB", operations: "2000" } as const;
  const rate = (options: Partial<ProbePcieOptions>): number => Number(answer(options).transactionsPerSecond);
  assert.ok(rate({ ...writes, relaxed: true }) > rate(writes));
  // reads between them wait for walkers whatever the writes do
  const both = { ...writes, op: "readwrite", size: "512", window: "2 MiB" } as const;
  assert.is.not(rate({ ...both, relaxed: true }), rate(both));
  // the cache is of 15 MiB: of 64 B more a few reads miss, and of 30 MiB half of them
  const reads = { operations: "2000", window: "30 MiB" };
  assert.ok(rate({ ...reads, load: "900" }) < rate(reads));
  const cold = { operations: "2000", cache: "cold" } as const;
  for (const op of ["read", "readwrite", "swap"] as const) {
    const size = op === "swap" ? "8" : "64";
    assert.ok(rate({ ...cold, op, size, load: "900" }) < rate({ ...cold, op, size }), op);
  }
});

test("--operations: as many as are under way give the rate; of large ones so many count", () => {
  // 88 workers: the rate is 88 / mean latency; with jitter and few operations within a tenth
  const rate = ({ transactionsPerSecond, latencyNs }: Answer): number =>
    (Number(transactionsPerSecond) * latencyNs.mean * 1e-9) / 88;
  for (const operations of ["88", "1000"])
    assert.ok(Math.abs(rate(answer({ operations })) - 1) < 0.1, operations);
  assert.is(answer({ measure: "latency", operations: "1" }).asked.operations, 1);
  // 40 MiB are 40 operations of 1 MiB
  assert.is(answer({ size: "1 MiB" }).asked.operations, 88);
});

test("--tags: a probe has all of them, from 1 on; the rate is tags / (latency - start - copy)", () => {
  // see --jitter off above: 560.0346 ns, less 69 ns of the start and 9.25 ns of the copy
  const held = 560.0346 - 69 - 9.25;
  for (const tags of [1, 2, 5, 8, 9]) {
    const { transactionsPerSecond } = answer({ tags: String(tags), dll: "none", jitter: "off" });
    const rate = tags / (held * 1e-9);
    assert.ok(
      Math.abs(Number(transactionsPerSecond) / rate - 1) < 1e-4,
      `${transactionsPerSecond} of ${rate}`,
    );
  }
});

/** Options of the command line that give what an answer says was asked: names without their units. */
function optionsOf({ asked }: Answer): string[] {
  return Object.entries(asked).flatMap(([name, value]) => {
    const option = `--${name.replace(/(Bytes|Pages|PerMille)$/, "")}`;
    if (value === null || value === false) return [];
    return value === true ? [option] : [option, String(value)];
  });
}

test("--json: what was asked gives the same answer again, options left out or not", async () => {
  const little = { operations: "500" };
  const all: Partial<ProbePcieOptions> = {
    ...{ card: "dpu-ref", host: "gen5-host", op: "readwrite", size: "1000", window: "1 MiB", seed: "7" },
    ...{ pattern: "sequential", cache: "cold", numa: "remote", iommu: "4KiB", measure: "latency" },
    ...{ link: "gen3x4", mps: "128", mrrs: "1024", tags: "40", load: "300", ats: "16", relaxed: true },
    ...{ dll: "ack-per-tlp", jitter: "off", operations: "300" },
  };
  for (const options of [little, all]) {
    const first = answer(options);
    assert.is(first.version, version);
    const { code, stdout } = await dpusim(["probe", "pcie", "--json", ...optionsOf(first)]);
    assert.is(code, 0);
    assert.equal(JSON.parse(stdout), first);
  }
});

test("--json: every option has its value, with the unit in the name", () => {
  const { asked, warmUpOperations, depth } = answer({
    size: "1 KiB",
    ats: "16",
    iommu: "2MiB",
    load: "300",
    cache: "cold",
  });
  assert.equal(asked, {
    ...{ host: "snb-e5-2630", card: "nfp6000-e5", op: "read", sizeBytes: 1024, windowBytes: 8192 },
    ...{ pattern: "random", cache: "cold", numa: "local", iommu: "2MiB", measure: "bandwidth" },
    ...{ link: "gen3x8", mpsBytes: 256, mrrsBytes: 512, tags: 32, atsPages: 16, relaxed: false },
    ...{ loadPerMille: 300, dll: "explicit", jitter: "on", operations: 20_000, seed: 1 },
  });
  // four times the 88 workers of pcie-bench are fewer than 1000
  assert.equal([warmUpOperations, depth], [1000, 88]);
});

/** The lines by which options are refused. */
function refusal(options: Partial<ProbePcieOptions>): string {
  try {
    probePcieCommand({ ...PLAIN, ...options }, version);
  } catch (error) {
    const { name, message, lines } = error as InputError;
    if (name !== "InputError") throw error;
    assert.equal([lines.length, lines[0]], [1, message]);
    return message;
  }
  return `${JSON.stringify(options)} is taken`;
}

const REFUSALS: readonly [options: Partial<ProbePcieOptions>, line: string | RegExp][] = [
  [{ mps: "200" }, "--mps: 200 is not possible; write 128, 256, 512, 1024, 2048 or 4096"],
  [{ mrrs: "600 B" }, "--mrrs: 600 B is not possible; write 128, 256, 512, 1024, 2048 or 4096"],
  [{ mps: "8192" }, "--mps: 8192 is out of range; write 128 to 4096 B"],
  [{ host: "nosuch" }, /^--host: nosuch is no host preset; there are: bdw-e5-2630v4, gen5-host, /],
  [{ card: "dpu-rfe" }, "--card: dpu-rfe is no card preset; did you mean dpu-ref?"],
  [{ tags: "0" }, "--tags: 0 is no whole number from 1 to 256"],
  [{ tags: "257" }, "--tags: 257 is no whole number from 1 to 256"],
  [{ card: "dpu-ref", host: "gen5-host", tags: "769" }, "--tags: 769 is no whole number from 1 to 768"],
  // the card alone is Gen5
  [{ card: "dpu-ref", tags: "300" }, "--tags: 300 is no whole number from 1 to 256"],
  [{ link: "gen3x7" }, "--link gen3x7: is no link; write e.g. gen3x8: gen1 to gen6, x1, x2, x4, x8 or x16"],
  [{ size: "64kB", window: "8192" }, "--window: 8192 is less than --size; write at least 64000 B"],
  [{ window: "0" }, "--window: 0 is out of range; write 1 to 1099511627776 B"],
  [{ relaxed: true, iommu: "4KiB" }, "--relaxed: has no effect on --op read; remove it, or write --op write"],
  [{ relaxed: true, op: "cas", size: "8", iommu: "4KiB" }, /^--relaxed: has no effect on --op cas; /],
  [{ relaxed: true, op: "write" }, "--relaxed: has no effect without translations; write --iommu 4KiB too"],
  [{ load: "500", op: "write", cache: "cold" }, /^--load: has no effect on --op write; /],
  [
    { load: "500", window: "15 MiB" },
    "--load: has no effect on what is cached; write --cache cold, or a --window above 15728640 B",
  ],
  [{ operations: "1" }, "--operations: 1 are fewer than are under way; write at least 88"],
  [{ operations: "87" }, "--operations: 87 are fewer than are under way; write at least 88"],
  [{ operations: "1", measure: "latency", op: "readwrite" }, /under way; write at least 2$/],
  [{ ats: "8", iommu: "4KiB", tags: "8" }, "--tags: translation requests take 8; write at least 9"],
];

for (const [options, line] of REFUSALS) {
  test(`refused in a line that names the option: ${JSON.stringify(options)}`, () => {
    const told = refusal(options);
    assert.ok(typeof line === "string" ? told === line : line.test(told), told);
  });
}

test("no pair of presets has a payload or a request of which a line tells that names no option", () => {
  let pairs = 0;
  for (const host of presetNames("host")) {
    for (const card of presetNames("card")) {
      for (const mps of MPS) {
        for (const mrrs of MPS) {
          resolveSide(
            { host: { preset: host, pcie: { mps, mrrs } }, card: { preset: card, pcie: { mps, mrrs } } },
            "",
          );
          pairs++;
        }
      }
    }
  }
  assert.is(pairs, 36 * presetNames("host").length * presetNames("card").length);
});

test.run();
