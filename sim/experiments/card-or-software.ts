// SPDX-License-Identifier: Apache-2.0
/** What do cards save, against QEMU's migration thread on the same hosts, guest and link? */
import { type Experiment, run, unless } from "./lib.ts";

/** Assumed, `qemu.normalPage` and `qemu.zeroPage` of the default host. */
const NORMAL_MS = 2.2e-3;
const ZERO_MS = 0.4e-3;
/** Of a full frame at MTU 9000: wire and payload, bytes. */
const FRAME = [9038, 8948] as const;
const DEVICE_MIB = 1;
const DOWNTIME_LIMIT_MS = 20;
/** Gbit/s: the thread gives the wire 15 at most. */
const RATES = [5, 10, 25, 100] as const;
const GUEST = {
  generate: {
    memory: "256 MiB",
    rate: "40000 /s",
    workingSet: "16 MiB",
    mix: { zero: 25, text: 40, random: 35 },
  },
  vcpus: 4,
  deviceState: `${DEVICE_MIB} MiB`,
};

interface Line {
  readonly [key: string]: number | string;
  readonly who: "card" | "software";
  readonly gbits: number;
  readonly slowdownPercent: number;
  readonly downtimeMs: number;
  readonly totalMs: number;
  /** Bytes over the link, and pages times their cost (0 for cards), of that time. */
  readonly wireMs: number;
  readonly pagesMs: number;
  /** Of both hosts. */
  readonly coreMs: number;
}

function line(who: "card" | "software", gbits: number): Line {
  const placement = who === "card" ? { placement: "huawei" } : { placement: "qemu" };
  const result = run({
    ...placement,
    guest: GUEST,
    compress: "off",
    encrypt: "off",
    link: { rate: `${gbits} Gbit/s` },
    migration: { downtimeLimit: `${DOWNTIME_LIMIT_MS} ms` },
  });
  const { migration, guest, hostCpu, link } = result;
  const bits = (8 * link.payloadBytes * FRAME[0]) / FRAME[1];
  const pages = migration.ram.normal * NORMAL_MS + migration.ram.duplicate * ZERO_MS;
  return {
    who,
    gbits,
    slowdownPercent: 100 * guest.slowdown!,
    downtimeMs: migration.downtimeNs! / 1e6,
    totalMs: migration.totalTimeNs / 1e6,
    wireMs: bits / gbits / 1e6,
    pagesMs: who === "card" ? 0 : pages,
    coreMs: 1000 * (hostCpu.sourceCoreSeconds + hostCpu.destinationCoreSeconds),
  };
}

export const experiment: Experiment<Line> = {
  name: "card-or-software",
  question: "Cards or QEMU's thread: host cores, slowdown, downtime and total?",
  expected:
    "Software takes pages x their cost or bytes / link, whichever is longer, and 5 % more at most; it " +
    "works both hosts for pages x cost at least. Cards take less than a tenth of that, and are no slower. " +
    "Both stand still for the device state's bytes / link, the downtime limit and 1 ms at most.",
  rows: () => RATES.flatMap((gbits) => (["card", "software"] as const).map((who) => line(who, gbits))),
  misses: (rows) =>
    RATES.flatMap((gbits) => {
      const of = (who: string): Line => rows.find((row) => row.who === who && row.gbits === gbits)!;
      const [card, software] = [of("card"), of("software")];
      const least = Math.max(software.wireMs, software.pagesMs);
      const at = `${gbits} Gbit/s`;
      // the limit is of pages: device state comes on top of them
      const device = (8 * DEVICE_MIB * 2 ** 20) / gbits / 1e6;
      return [
        ...[card, software].flatMap(({ who, downtimeMs }) =>
          unless(
            downtimeMs > device && downtimeMs < DOWNTIME_LIMIT_MS + device + 1,
            `${at}: ${who} stands still for ${downtimeMs} ms, of which ${device} for device state`,
          ),
        ),
        ...unless(
          software.totalMs >= least && software.totalMs < 1.05 * least,
          `${at}: ${software.totalMs} ms in software, ${least} by its work`,
        ),
        ...unless(
          software.coreMs >= 2 * software.pagesMs,
          `${at}: ${software.coreMs} ms of cores in software, ${2 * software.pagesMs} by its pages`,
        ),
        ...unless(
          10 * card.coreMs < software.coreMs,
          `${at}: ${card.coreMs} ms of cores with cards, ${software.coreMs} without`,
        ),
        ...unless(
          card.totalMs < 1.01 * software.totalMs,
          `${at}: cards take ${card.totalMs} ms, software ${software.totalMs}`,
        ),
      ];
    }),
};
