// SPDX-License-Identifier: Apache-2.0
/**
 * The whole path, scenario to result, in pages a second of this machine: non-zero pages over the time of
 * simulate(), which loads the guest's memory, runs both cards with accounting on and compares the destination
 * with the oracle. `npx tsx bench/path.ts [TRACE.mdt…]`; traces are run in `full`, without a memo. `--check`
 * fails below the floors.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import {
  Core,
  coreModule,
  fileSource,
  guestStream,
  loadScenario,
  openMdt,
  type Result,
  simulate,
  type Variant,
} from "../src/index.ts";

const scenarioFile = fileURLToPath(new URL("../sim/scenarios/redis-100g.yaml", import.meta.url));
const shipped = fileURLToPath(new URL("../sim/traces/host-redis-small.mdt", import.meta.url));
/** Non-zero pages a second, at least. */
const floors = { sized: 200_000, full: 40_000 };
const rounds = 5;

interface Measured {
  readonly name: string;
  readonly pages: number;
  readonly runSeconds: number;
  readonly seconds: number;
}

const now = (): number => Number(process.hrtime.bigint()) / 1e9;

/** A core that knows when its first step began and its last one ended. */
class TimedCore extends Core {
  began = 0;
  ended = 0;

  override run(until: bigint): number {
    if (this.began === 0) this.began = now();
    const stop = super.run(until);
    this.ended = now();
    return stop;
  }
}

/**
 * Runs a scenario with overrides once a round, on one core: code is compiled and memory mapped in the first
 * round, as in a sweep. The best time counts.
 */
function measure(name: string, sets: string[], trace: string | null, variant: Variant = "lean"): Measured {
  let seconds = Number.POSITIVE_INFINITY;
  let runSeconds = Number.POSITIVE_INFINITY;
  let result: Result | undefined;
  const core = new TimedCore(coreModule(variant));
  for (let i = 0; i < rounds; i++) {
    const { scenario, traceFile } = loadScenario(scenarioFile, { sets, allowOutside: true });
    const file = trace ?? traceFile;
    const mdt = scenario.guest.writes === "trace" && file !== null ? openMdt(fileSource(file), file) : null;
    const stream = guestStream(scenario, mdt);
    core.began = 0;
    const origin = { version: "", build: "", trace: "", traceHint: basename(file ?? "") };
    const start = now();
    result = simulate({ core, scenario, stream, origin });
    seconds = Math.min(seconds, now() - start);
    runSeconds = Math.min(runSeconds, core.ended - core.began);
  }
  if (result?.migration.status !== "completed") throw new Error(`${name}: ${result?.migration.status}`);
  return { name, pages: result.migration.ram.normal ?? 0, runSeconds, seconds };
}

const gen5 = ["source.host=gen5-host", "destination.host=gen5-host"];
const generated =
  "guest.generate={memory: 2 GiB, rate: 4000 /s, workingSet: 32 MiB, pattern: uniform, " +
  "mix: {zero: 0, text: 60, random: 40}}";
const traces = process.argv.slice(2).filter((a) => !a.startsWith("--"));
const rows: (Measured & { floor: number | null })[] = [
  { ...measure("sized, generated 2 GiB, Gen3 x8", ["content=sized", generated], null), floor: floors.sized },
  {
    ...measure("sized, generated 2 GiB, Gen5 x16", ["content=sized", generated, ...gen5], null),
    floor: floors.sized,
  },
  {
    ...measure("sized, the same, instrumented", ["content=sized", generated], null, "instrumented"),
    floor: null,
  },
];
for (const trace of traces.length > 0 ? traces : [shipped]) {
  if (!existsSync(trace)) throw new Error(`no such file: ${trace}`);
  const tile = trace === shipped ? 64 : 16;
  const sets = ["content=full", `guest.tile=${tile}`, "guest.speed=1"];
  rows.push({ ...measure(`full, ${basename(trace)} x ${tile}`, sets, trace), floor: floors.full });
}

const count = (n: number): string => Math.round(n).toLocaleString("en");
const head = [
  "whole path, 100 Gbit/s, MRRS 512",
  "pages",
  "run: pages/s",
  "floor",
  "with load and check: pages/s",
];
const table = new Table({ head });
let missed = 0;
for (const { name, pages, runSeconds, seconds, floor } of rows) {
  if (floor !== null && pages / runSeconds < floor) missed++;
  const least = floor === null ? "" : count(floor);
  table.push([name, count(pages), count(pages / runSeconds), least, count(pages / seconds)]);
}
console.log(table.toString());
if (process.argv.includes("--check") && missed > 0) process.exitCode = 1;
