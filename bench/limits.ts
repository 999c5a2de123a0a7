// SPDX-License-Identifier: Apache-2.0
/**
 * Size limits of the product, each in a process of its own: resident memory of a run of a 64 GiB guest, that
 * the length of a trace does not matter to it, and how long `dpusim --help` takes. `--check` fails beyond a
 * limit. `--long` adds a guest of 1 TiB, some ten minutes. Needs `npm run build`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";

const cli = fileURLToPath(new URL("../dist/src/cli/main.js", import.meta.url));
const scenarios = fileURLToPath(new URL("../sim/scenarios/", import.meta.url));
const limits = { guestMib: 600, traceMib: 32, helpSeconds: 0.3, tebibyteMib: 2560, tebibyteSeconds: 600 };
/** Prints the most resident memory of this process in KiB, and its processor time in us, when it ends. */
const told =
  'process.on("exit", () => { const u = process.resourceUsage(); ' +
  'console.error("maxrss", u.maxRSS); console.error("cpu", u.userCPUTime + u.systemCPUTime); });';
const watched = ["--import", `data:text/javascript,${encodeURIComponent(told)}`, cli];

/** Processor time of the last run. */
let seconds = 0;

/** Runs the built dpusim; returns the MiB that were resident at most. */
function dpusim(...args: string[]): number {
  const { status, stderr } = spawnSync(process.execPath, [...watched, ...args], { encoding: "utf8" });
  const kib = /^maxrss (\d+)$/m.exec(stderr)?.[1];
  if (status !== 0 || kib === undefined) throw new Error(`dpusim ${args.join(" ")}: ${status}\n${stderr}`);
  seconds = Number(/^cpu (\d+)$/m.exec(stderr)?.[1]) / 1e6;
  return Number(kib) / 1024;
}

/** A guest of 64 GiB, all of it sent; zero pages cost as much memory as others and less time. */
function guest(): number {
  const generate =
    "{ memory: 64 GiB, rate: 1000 /s, workingSet: 64 MiB, mix: { zero: 90, text: 5, random: 5 } }";
  const hosts = ["source.host=gen5-host", "destination.host=gen5-host", "link.preset=ethernet-400g"];
  const sets = [`guest.generate=${generate}`, "content=sized", ...hosts];
  return dpusim("run", join(scenarios, "tiny.yaml"), ...sets.flatMap((set) => ["--set", set]));
}

/**
 * A guest of 1 TiB, 95 % of it zero, between hosts whose links carry a page in one request: 2^28 pages, of
 * each of which 8 bytes are resident.
 */
function tebibyte(): number {
  const generate = `{ ${[
    "memory: 1 TiB, rate: 50000 /s, workingSet: 1 GiB",
    "mix: { zero: 95, text: 3, random: 2 }",
  ].join(", ")} }`;
  const cards = ["source", "destination"].flatMap((side) => [
    `${side}.host=gen5-host`,
    `${side}.card.pcie.mrrs=4096`,
    `${side}.card.pcie.mps=512`,
  ]);
  const sets = [`guest.generate=${generate}`, "content=sized", "link.preset=ethernet-100g", ...cards];
  return dpusim("run", join(scenarios, "tiny.yaml"), ...sets.flatMap((set) => ["--set", set]));
}

/** Growth of a run's memory from a trace of 2 s to one of 20 s, in MiB; both are read to their ends. */
function traces(): number {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-limits-"));
  try {
    const [short, long] = [2, 20].map((seconds) => {
      const file = join(folder, `${seconds}.mdt`);
      const kind = ["--memory", "64MiB", "--working-set", "32MiB", "--rate", "4000/s"];
      dpusim("trace", "generate", file, "--duration", `${seconds} s`, ...kind);
      const late = ["--set", `migration.startAt=${seconds - 1} s`, "--set", "content=sized"];
      const sets = [`guest.trace=${file}`, "migration.downtimeLimit=1 s"].flatMap((set) => ["--set", set]);
      return dpusim("run", "--allow-outside", join(scenarios, "tiny.yaml"), ...sets, ...late);
    }) as [number, number];
    return long - short;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Seconds of the fastest of seven calls, with nothing watching. */
function help(): number {
  const times = Array.from({ length: 7 }, () => {
    const began = process.hrtime.bigint();
    spawnSync(process.execPath, [cli, "--help"]);
    return Number(process.hrtime.bigint() - began) / 1e9;
  });
  return Math.min(...times);
}

const rows: [name: string, unit: string, limit: number, measure: () => number][] = [
  ["dpusim --help, best of 7", "s", limits.helpSeconds, help],
  ["a trace ten times as long", "MiB more", limits.traceMib, traces],
  ["64 GiB in sized", "MiB resident", limits.guestMib, guest],
];
if (process.argv.includes("--long")) {
  rows.push(["1 TiB in sized", "MiB resident", limits.tebibyteMib, tebibyte]);
  rows.push(["the same", "s of a processor", limits.tebibyteSeconds, () => seconds]);
}

const table = new Table({ head: ["limit", "found", "at most", "unit"], style: { head: [], border: [] } });
let beyond = 0;
for (const [name, unit, limit, measure] of rows) {
  const found = measure();
  if (found > limit) beyond++;
  table.push([name, found.toFixed(2), String(limit), unit]);
}
console.log(table.toString());
if (beyond > 0) console.log(`${beyond} beyond its limit`);
if (process.argv.includes("--check") && beyond > 0) process.exitCode = 1;
