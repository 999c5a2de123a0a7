// SPDX-License-Identifier: Apache-2.0
/** What does it cost when pages go over VSOCK and the card does not pull them? */
import { type Experiment, run, unless } from "./lib.ts";

const MEMORY = 32 * 2 ** 20;
/** Hosts, and the bytes/s that one core of them copies (assumed, `memory.copyRate`). */
const HOSTS = { "snb-e5-2630": 5e9, "gen5-host": 12e9 } as const;
type Host = keyof typeof HOSTS;
const hosts = Object.keys(HOSTS) as Host[];

interface Line {
  readonly [key: string]: number | string;
  readonly host: Host;
  readonly pages: "dma" | "vsock";
  readonly precopyMs: number;
  readonly hostMs: number;
}

function line(host: Host, pages: "dma" | "vsock"): Line {
  const generate = { memory: "32 MiB", rate: "0 /s", workingSet: "4 KiB", mix: { random: 100 } };
  const result = run({
    guest: { generate, deviceState: "4 KiB" },
    source: { host, card: "dpu-ref" },
    internal: { pages },
    compress: "off",
    encrypt: "off",
  });
  const { precopyNs } = result.migration.phases;
  return { host, pages, precopyMs: precopyNs! / 1e6, hostMs: result.hostCpu.sourceCoreSeconds * 1000 };
}

export const experiment: Experiment<Line> = {
  name: "dma-or-vsock",
  question: "Pages pulled by the card over DMA, or handed over by the driver over VSOCK?",
  expected:
    "VSOCK copies every page with a host core, so that the source's host works longer by bytes / copy rate " +
    "at least (32 MiB: 6.7 ms at 5 GB/s), and the migration cannot be faster.",
  rows: () => hosts.flatMap((host) => (["dma", "vsock"] as const).map((one) => line(host, one))),
  misses: (rows) =>
    hosts.flatMap((host) => {
      const of = (pages: string): Line => rows.find((row) => row.host === host && row.pages === pages)!;
      const [dma, vsock] = [of("dma"), of("vsock")];
      const copy = (1000 * MEMORY) / HOSTS[host];
      const more = vsock.hostMs - dma.hostMs;
      return [
        ...unless(
          more >= copy && more < 1.5 * copy,
          `${host}: ${more} ms more of a host core, ${copy} by copying`,
        ),
        ...unless(vsock.precopyMs >= dma.precopyMs, `${host}: VSOCK is faster than DMA`),
      ];
    }),
};
