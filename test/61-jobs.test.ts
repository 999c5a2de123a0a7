// SPDX-License-Identifier: Apache-2.0
// Jobs of several pages: each beside the slow encoders, what a setup that is shared gains, and what an engine
// pays that does not gather.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { checkJobs, JOB_ROWS } from "./lib/claims/pages-jobs.ts";
import { sameBooks } from "./lib/configurations.ts";
import { migrate, redis, stat } from "./lib/migrate.ts";
import { near, RANDOM, runOf, starts, steady, TEXT_PAGES, TICKS_PER_US } from "./lib/rates.ts";
import type { Run } from "./lib/timeline.ts";

let partial = 0;
for (const sets of JOB_ROWS) {
  test(`which pages, when, how long: ${sets.slice(3).join(" ")}`, () => {
    const { jobs, pages } = checkJobs(sets);
    assert.ok(jobs < pages);
    const most = Number(/jobPages=(\d+)/.exec(sets.join())![1]);
    if (jobs > 1.2 * (pages / most)) partial++;
  });
}

test("some of them had jobs that were not full", () => assert.ok(partial > 0));

const FAST = ["source.host=gen5-host", "encrypt=off", "link.rate=400 Gbit/s"];

// random pages take 4096 / 16 = 256 windows and nothing behind them
test("one setup for n pages: pages a clock are engines / (setup / n + II); the control: a job each", () => {
  const setup = ["source.card.compressor.setupCycles=2000 cycles", "source.card.compressor.engines=2"];
  const ii = cyclesOf(runOf(RANDOM, [...FAST, ...setup]));
  const rate = (pages: number): number => {
    const run = runOf(RANDOM, [...FAST, ...setup, `compress.jobPages=${pages}`, "compress.jobWait=1 ms"]);
    return pages * steady(starts(run, 0, abi.U_COMPRESS));
  };
  for (const pages of [2, 8]) near(rate(pages), 2000 / (2000 / pages + ii));
  const single = runOf(RANDOM, [...FAST, ...setup]);
  near(steady(starts(single, 0, abi.U_COMPRESS)), 2000 / (2000 + ii));
});

/** Clocks of a page in an encoder, beside the setup. */
function cyclesOf(run: Run): number {
  const sized = run.events.filter((e) => e.kind === abi.T_PAGE && e.which === abi.P_CODED);
  return sized.reduce((sum, e) => sum + e.c, 0) / sized.length - run.params.sides[0][abi.S_LZ_SETUP]!;
}

test("a least job of 8 KiB is met by two pages; the control: one page is not taken", () => {
  const run = (...sets: string[]) =>
    migrate({ guest: redis }, { sets: ["compress.engine=qat-gen4-zstd", "content=sized", ...sets] });
  const [one, two] = [run(), run("compress.jobPages=2", "compress.jobWait=20 us")];
  const bytes = (result: ReturnType<typeof run>): number => stat(result, "source.card.compressor.bytesOut");
  assert.is(stat(one, "source.card.compressor.raw"), stat(one, "source.card.compressor.pages"));
  assert.ok(bytes(two) < 0.4 * bytes(one), `${bytes(two)} and ${bytes(one)} bytes`);
  // two pages at a time, but for the last one of a round and pieces of device state
  const jobs = stat(two, "source.card.compressor.jobs");
  assert.ok(jobs < 0.6 * stat(two, "source.card.compressor.pages"), `${jobs} jobs`);
  assert.is(two.check.pagesDifferent, 0);
});

test("an engine that does not gather: card DRAM carries pages twice more; the control: one that does", () => {
  // a page and its record cross DRAM four times: 4 x 4096 bytes and a header twice, at 10 Gbit/s
  const dram = ["source.card.dram.bandwidth=10 Gbit/s", "compress.jobPages=4", "compress.jobWait=1 ms"];
  const us = (engine: string, memory: string): number => {
    const run = runOf(RANDOM, [...FAST, ...dram, `compress.engine=${engine}`], memory);
    return Number(run.core.logged(abi.L_SUSPENDED)) / TICKS_PER_US;
  };
  const rate = (engine: string): number => 512 / (us(engine, "4 MiB") - us(engine, "2 MiB"));
  const bytesPerUs = 1250;
  near(rate("bf2-deflate"), bytesPerUs / (4 * 4096 + 2 * 16));
  near(rate("iaa-spr"), bytesPerUs / (2 * 4096 + 2 * 16));
  const run = migrate(
    { guest: redis },
    { sets: ["compress.engine=bf2-deflate", "compress.jobPages=4", "content=sized"] },
  );
  const pages = stat(run, "source.card.compressor.pages");
  const jobs = stat(run, "source.card.compressor.jobs");
  // a page that is a job by itself lies together: of j jobs of up to 4, p pages in all, 2 j - p at least are
  // single and (4 j - p) / 3 at most
  const copied = stat(run, "source.card.compressor.copied") / 4096;
  assert.ok(Number.isInteger(copied) && copied > 0, String(copied));
  assert.ok(copied <= pages - Math.max(0, 2 * jobs - pages), `${copied} of ${pages} in ${jobs}`);
  assert.ok(copied >= pages - (4 * jobs - pages) / 3, `${copied} of ${pages} in ${jobs}`);
  const single = migrate({ guest: redis }, { sets: ["compress.engine=bf2-deflate", "content=sized"] });
  assert.is(stat(single, "source.card.compressor.copied"), 0);
});

test("jobs of a quarter of the staging SRAM, one for each of four engines: everything comes home", () => {
  const sram = ["source.card.dma.stagingSram=128 KiB", "compress.jobPages=8", "compress.jobWait=1 ms"];
  for (const link of ["1 Gbit/s", "400 Gbit/s"]) runOf(TEXT_PAGES, [...sram, `link.rate=${link}`], "512 KiB");
});

test("carried and sized, and the scheduler that steps everything: the same times", () => {
  const sets = [
    "compress.jobPages=4",
    "compress.jobWait=700 ns",
    "source.card.compressor.setupCycles=100 cycles",
  ];
  const [full, sized] = ["full", "sized"].map((content) =>
    migrate({ guest: redis }, { sets: [...sets, `content=${content}`] }),
  );
  assert.is(full!.elapsedTicks, sized!.elapsedTicks);
  assert.is(full!.check.pagesDifferent, 0);
  const run = (variant: "lean" | "naive"): Run => runOf(TEXT_PAGES, sets, "512 KiB", { variant });
  sameBooks("jobs", run("lean").core, run("naive").core);
  const copies = ["compress.engine=bf2-deflate", "compress.jobPages=3"];
  const copied = (variant: "lean" | "naive"): Run => runOf(TEXT_PAGES, copies, "512 KiB", { variant });
  sameBooks("copied jobs", copied("lean").core, copied("naive").core);
});

test.run();
