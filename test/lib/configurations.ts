// SPDX-License-Identifier: Apache-2.0
// Random configurations of whole migrations, and everything that a core counts of one.
import type { Core } from "../../src/core.ts";
import { type Reading, readCore } from "../../src/result/reading.ts";
import { generator } from "./random.ts";
import { sameLists } from "./reference/compare.ts";

/** One configuration in so many has a guest of 1 MiB or more. */
const LARGE_EVERY = 5;

/** Keys, each with the values it may have. */
export type Choices = Readonly<Record<string, readonly (string | number)[]>>;

/** An override for each key, drawn from its choices. */
export function chosen(next: () => number, prefix: string, choices: Choices): string[] {
  return Object.entries(choices).map(([key, of]) => `${prefix}${key}=${of[Math.floor(next() * of.length)]}`);
}

const SIDE: Choices = {
  "host.pcie.generation": [5],
  "host.pcie.lanes": [16],
  "host.pcie.mps": [4096],
  "host.pcie.mrrs": [4096],
  "card.pcie.generation": [1, 2, 3, 4, 5],
  "card.pcie.lanes": [1, 2, 4, 8, 16],
  "card.pcie.mps": [128, 256, 512],
  "card.pcie.mrrs": [128, 256, 512, 1024, 4096],
  "card.pcie.tags": [40, 41, 64, 256],
  "card.pcie.phCredits": [1, 2, 64],
  "card.pcie.completionBuffer": ["32 KiB", "64 KiB"],
  "card.pcie.completionHeaders": [512, 1024],
  "card.pcie.replayBuffer": ["4200 B", "5000 B", "32 KiB"],
  "host.pcie.rcb": [64, 128],
  "host.pcie.combineAbove": [0, 128, 256, 4096],
  "host.pcie.phCredits": [1, 2, 5, 16, 127, 0],
  "host.pcie.pdCredits": [32, 33, 64, 96, 1024, 0],
  "host.pcie.nphCredits": [1, 2, 7, 127, 0],
  "host.pcie.flight": ["1 ns", "70 ns", "333 ns"],
  "host.memory.bandwidth": ["42.6 GB/s", "1 GB/s", "7 GB/s", "200 GB/s"],
  "host.memory.readLatency": ["0 s", "422 ns", "2 us"],
  "host.iommu.entries": [8, 24, 64],
  "host.iommu.ways": [1, 2, 64],
  "host.iommu.walkers": [1, 3, 6],
  "host.iommu.walk": ["50 ns", "300 ns", "1 us"],
  "host.iommu.recovery": ["0 s", "33 ns"],
  "host.iommu.readPerCompletion": ["0 s", "19 ns"],
  "host.iommu.serialWalks": ["yes", "no"],
  "host.memory.jitterMax": ["0 s", "2 us"],
  "host.memory.contention": [0, 1000, 9000],
  "card.ats.entries": [1, 4, 64],
  "card.ats.requests": [1, 2, 3],
  "card.pcie.linkShare": [1000, 960, 333],
  "card.clock": ["300 MHz", "250 MHz", "1 GHz", "375 MHz", "700 MHz"],
  "card.control.clock": ["1.5 GHz", "700 MHz", "2 GHz"],
  "card.control.cores": [1, 2, 4],
  "card.dma.ring": ["host", "card"],
  "card.dma.readQueues": [1, 2, 5],
  "card.dma.readIssue": ["1 cycles", "2 cycles", "7 cycles"],
  "card.dma.writeIssue": ["1 cycles", "2 cycles", "7 cycles"],
  "card.dma.prefetchBatches": [1, 2],
  "card.dma.descriptorBatch": [4, 8, 32],
  "card.dma.descriptorBytes": [8, 16, 64],
  "card.dma.stagingSram": ["128 KiB", "256 KiB", "1 MiB"],
  "card.crypto.bitsPerCycle": ["128 bit/cycle", "512 bit/cycle"],
  "card.crypto.recordGap": ["0 cycles", "0 cycles", "3 cycles", "90 cycles"],
  "card.crypto.interleave": ["word", "record"],
  "card.crypto.egress": ["hold", "admit"],
  "card.compressor.pws": [8, 16, 32],
  "card.compressor.engines": [1, 2, 4],
  "card.scanner.wordsPerCycle": [1, 8, 64],
};

const REST: Choices = {
  "internal.dll": ["explicit", "explicit", "explicit", "none", "ack-per-tlp", "pciebench"],
  "internal.iommu": ["off", "4KiB", "2MiB"],
  "internal.ats": ["off", "on"],
  "internal.relaxedOrdering": ["off", "on"],
  "internal.jitter": ["off", "on"],
  "internal.contention": ["off", "on"],
  "internal.pages": ["dma", "dma", "vsock"],
  "internal.addresses": ["bitmap", "list", "runs"],
  "link.mtu": [576, 1499, 1500, 9000],
  "link.window": ["64 KiB", "256 KiB", "16 MiB"],
  "link.rtt": ["2 us", "5 us", "20 us", "50 us"],
  "link.rate": ["1 Gbit/s", "7 Gbit/s", "25 Gbit/s", "100 Gbit/s"],
  "link.rateCap": ["none", "none", "300 MB/s", "24 MiB/s"],
  "link.arbitration": ["strict", "weighted"],
  "compress.engine": ["off", "lz4-hw", "lz4-hw", "lz4-sw", "vitis-lz4-8e", "fpga-lz4-chen24"],
  "encrypt.cipher": ["off", "aes-128-gcm", "aes-256-gcm"],
  "tracker.kind": ["write-protect", "bitmap", "pml", "dirty-ring"],
  "guest.generate.memory": ["64 KiB", "128 KiB", "192 KiB"],
  "guest.generate.rate": ["100000 /s", "1000000 /s"],
  "guest.deviceState": ["1 KiB", "5 KiB", "60 KiB"],
  "migration.downtimeLimit": ["1 us", "100 us", "300 ms"],
  "migration.maxRounds": [2, 4],
};

/** Drawn last, so that the rest of a seed's configuration stays what it was. */
const LAST: Choices = {
  "card.dma.completionEvery": [0, 0, 1, 3, 64],
  "card.dma.completionBytes": [4, 16, 64],
};

/** Of write protection; what decides of a group's size has no effect on single pages. */
const GROUPS: Choices = { group: [1, 1, 2, 16, 512], groups: ["static", "counter", "contiguity"] };

function groupsOf(next: () => number): string[] {
  const sets = chosen(next, "tracker.", GROUPS);
  return sets.includes("tracker.group=1") ? [] : sets;
}

/** Drawn after all others. */
const DELTAS: Choices = {
  delta: ["off", "off", "{ xbzrle: { cache: 32 KiB } }", "{ xbzrle: { most: 900 } }"],
};

/** Engines of presets: drawn after those. */
const CIPHERS: Choices = {
  source: ["card", "card", "gcm-cast-f", "macsec-100g", "hsc-400g"],
  destination: ["card", "card", "gcm-cast-s", "bf3-dpa"],
};

const LARGE: Choices = {
  "guest.generate.memory": ["1 MiB", "1540 KiB", "2 MiB"],
  "link.rate": ["7 Gbit/s", "25 Gbit/s", "100 Gbit/s"],
  "link.rateCap": ["none", "none", "300 MB/s"],
};

/** The scenario that configurations are laid over. */
export const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 64 KiB, rate: 1 /s, workingSet: 64 KiB, mix: { zero: 20, text: 60, random: 20 } }
migration: { onTimeout: force }
`;

export const isLarge = (seed: number): boolean => seed % LARGE_EVERY === 0;

/** Without what would be refused: numbers of a card's engines in whose place a preset stands. */
function withoutReplaced(sets: readonly string[]): string[] {
  const drawn = (key: string): string => sets.find((set) => set.startsWith(`${key}=`))?.split("=")[1] ?? "";
  const replaced = (["source", "destination"] as const)
    .filter((side) => !["", "card"].includes(drawn(`encrypt.${side}`)))
    .map((side) => `${side}.card.crypto.`);
  if (!["off", "lz4-hw"].includes(drawn("compress.engine"))) replaced.push("source.card.compressor.");
  return sets.filter((set) => !replaced.some((start) => set.startsWith(start)));
}

/** The overrides of a configuration by its seed. */
export function configuration(seed: number): string[] {
  const next = generator(seed);
  const sets = [...chosen(next, "source.", SIDE), ...chosen(next, "destination.", SIDE)];
  sets.push(...chosen(next, "", REST));
  // a card that translates needs an IOMMU
  const ats = sets.indexOf("internal.ats=on");
  if (ats >= 0 && sets.includes("internal.iommu=off")) sets.splice(ats, 1);
  if (isLarge(seed)) sets.push(...chosen(next, "", LARGE));
  for (const side of ["source.", "destination."]) sets.push(...chosen(next, side, LAST));
  if (sets.includes("tracker.kind=write-protect")) sets.push(...groupsOf(next));
  sets.push(...chosen(next, "", DELTAS));
  const ciphers = chosen(next, "encrypt.", CIPHERS);
  if (!sets.includes("encrypt.cipher=off")) sets.push(...ciphers);
  return [...withoutReplaced(sets), `seed=${seed}`];
}

/** Everything that is counted, summed, sampled or logged: a line a number, each with its name. */
export function books(core: Core): string[] {
  const lines: string[] = [];
  const walk = (name: string, value: unknown): void => {
    if (value === null || typeof value !== "object") lines.push(`${name} ${value}`);
    else for (const [key, inner] of Object.entries(value)) walk(`${name}.${key}`, inner);
  };
  const reading: Reading = readCore(core, core.clockNow());
  for (const [part, value] of Object.entries(reading)) walk(part, value);
  return lines;
}

/** Throws when two cores have counted other numbers. */
export function sameBooks(what: string, mine: Core, other: Core): void {
  const [a, b] = [books(mine), books(other)];
  sameLists(
    `${what}: number of the books`,
    a.filter((line, i) => line !== b[i]),
    b.filter((line, i) => line !== a[i]),
  );
}
