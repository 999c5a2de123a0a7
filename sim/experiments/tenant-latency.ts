// SPDX-License-Identifier: Apache-2.0
/** What does a migration do to the latency of other I/O on the card's PCIe link? */
import { type Experiment, run, unless } from "./lib.ts";

interface Line {
  readonly [key: string]: number;
  readonly gbits: number;
  /** Share of time that completions take the link for. */
  readonly pcieBusyPercent: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
}

function line(gbits: number): Line {
  const generate = { memory: "32 MiB", rate: "0 /s", workingSet: "4 KiB", mix: { random: 100 } };
  const result = run({
    guest: { generate, deviceState: "4 KiB" },
    link: { rate: `${gbits} Gbit/s` },
    compress: "off",
    encrypt: "off",
    tenant: { side: "source", op: "read", size: "4 KiB", workers: 1, tags: 8 },
  });
  const latency = result.stats["source.card.tenant.operationNs"];
  const down = result.units["source.pcie.down"];
  if (latency === undefined || !("p99" in latency) || down === undefined)
    throw new Error("no such statistic");
  const pcieBusyPercent = (100 * Number(down.busyTicks)) / Number(result.elapsedTicks);
  return { gbits, pcieBusyPercent, p50Ns: latency.p50, p99Ns: latency.p99 };
}

export const experiment: Experiment<Line> = {
  name: "tenant-latency",
  question: "How much longer do a tenant's reads of 4 KiB take while the card migrates a guest?",
  expected:
    "Reads of page and tenant share the completions' wire in turn: with a link that asks for little of it " +
    "the tenant is as fast as alone, and its p99 rises with the share of the wire that the migration takes.",
  rows: () => [1, 10, 25, 50, 100].map(line),
  misses: (rows) => {
    const [slowest, fastest] = [rows[0]!, rows.at(-1)!];
    return [
      ...rows.flatMap((row, i) =>
        unless(
          i === 0 || row.p99Ns >= 0.98 * rows[i - 1]!.p99Ns,
          `${row.gbits} Gbit/s: p99 of ${row.p99Ns} ns is below that of a slower link`,
        ),
      ),
      ...unless(slowest.p99Ns < 1.25 * slowest.p50Ns, `at ${slowest.gbits} Gbit/s the tenant is disturbed`),
      ...unless(
        fastest.p99Ns > 1.3 * slowest.p99Ns,
        `at ${fastest.gbits} Gbit/s the tenant is not disturbed`,
      ),
    ];
  },
};
