// SPDX-License-Identifier: Apache-2.0
/**
 * TCP on the external channel in packets (data and acknowledgements) a second of this machine. `--check`
 * fails below the floor.
 */
import Table from "cli-table3";
import { Core, coreModule, type LinkProbe, linkProbe, probeLink } from "../src/index.ts";

const TICKS_PER_MS = 1_024_000_000_000;
/** Packets a second, at least: one cubic flow at 100 Gbit/s, 100 us, MTU 9000. */
const floor = 800_000;
const rounds = 3;

type Case = [name: string, floor: number | null, probe: Partial<LinkProbe> & Pick<LinkProbe, "rttTicks">];

const gigabits = (n: number): [number, number] => [8_192_000 / n, 1];
const path = { mtuBytes: 9000, bufferBytes: 2 ** 20, ticksPerByte: gigabits(100) };
const cases: readonly Case[] = [
  ["100 Gbit/s, 100 us, MTU 9000, cubic", floor, { rttTicks: TICKS_PER_MS / 10 }],
  ["the same, 8 flows", null, { rttTicks: TICKS_PER_MS / 10, streams: 8 }],
  ["the same, reno", null, { rttTicks: TICKS_PER_MS / 10, congestion: "reno" }],
  [
    "10 Gbit/s, 10 ms, MTU 1500, loss 0.001, cubic",
    null,
    { rttTicks: 10 * TICKS_PER_MS, mtuBytes: 1500, ticksPerByte: gigabits(10), loss: 1e-3 },
  ],
];

const table = new Table({ head: ["link", "packets", "packets/s", "floor", "host s per simulated s"] });
const core = new Core(coreModule());
const count = (n: number): string => Math.round(n).toLocaleString("en");
for (const [name, least, own] of cases) {
  let best = Number.POSITIVE_INFINITY;
  let packets = 0;
  const durationTicks = BigInt(200 * TICKS_PER_MS);
  for (let i = 0; i < rounds; i++) {
    const begun = process.hrtime.bigint();
    const result = probeLink(core, linkProbe({ ...path, durationTicks, ...own }));
    best = Math.min(best, Number(process.hrtime.bigint() - begun) / 1e9);
    packets = result.frames + result.acks;
  }
  const rate = packets / best;
  if (least !== null && rate < least && process.argv.includes("--check")) process.exitCode = 1;
  table.push([
    name,
    count(packets),
    count(rate),
    least === null ? "" : count(least),
    (best / 0.2).toFixed(2),
  ]);
}
console.log(table.toString());
