// SPDX-License-Identifier: Apache-2.0
/** What `dpusim probe pcie` says. */
import picocolors from "picocolors";
import type { PcieAnswer, PcieProbe } from "../probe/pcie.ts";
import { columns } from "./columns.ts";

export interface LatencyNs {
  readonly min: number;
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * What was asked: each value is that of the option of its name, without the unit, and gives it back; null
 * where the option is left out.
 */
export interface PcieAsked {
  readonly host: string;
  readonly card: string;
  readonly op: PcieProbe["op"];
  readonly sizeBytes: number;
  readonly windowBytes: number;
  readonly pattern: "random" | "sequential";
  readonly cache: PcieProbe["cache"];
  readonly numa: PcieProbe["numa"];
  readonly iommu: PcieProbe["iommu"];
  readonly measure: "bandwidth" | "latency";
  /** The link that the two agree on, with the next two. */
  readonly link: string;
  readonly mpsBytes: number;
  readonly mrrsBytes: number;
  readonly tags: number;
  /** Pages that the card's translation cache holds; null without one. */
  readonly atsPages: number | null;
  readonly relaxed: boolean;
  /** Share of host memory that others use; null when its load does not count. */
  readonly loadPerMille: number | null;
  readonly dll: PcieProbe["dll"];
  readonly jitter: "on" | "off";
  /** Those that count. */
  readonly operations: number;
  readonly seed: number;
}

/** The answer of a probe, as JSON has it. */
export interface PcieReport {
  /** Data bits a second; of mixed operations both directions together. */
  readonly bandwidthBitsPerSecond: number;
  readonly transactionsPerSecond: number;
  /** Of each operation, from the worker that asks for it to its end. */
  readonly latencyNs: LatencyNs;
  readonly asked: PcieAsked;
  /** Operations before those that count, and those under way at most. */
  readonly warmUpOperations: number;
  readonly depth: number;
  /** Of dpusim. */
  readonly version: string;
}

function latencyOf(values: Float64Array): LatencyNs {
  const sorted = values.toSorted();
  const at = (q: number): number => sorted[Math.floor((sorted.length - 1) * q)]!;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { min: at(0), median: at(0.5), mean, p95: at(0.95), p999: at(0.999), max: at(1) };
}

function askedOf(probe: PcieProbe, names: PcieNames): PcieAsked {
  const { pcie, card, host } = probe.side;
  const { op, cache, numa, iommu, dll, operations, seed } = probe;
  return {
    host: names.host,
    card: names.card,
    op,
    sizeBytes: probe.size,
    windowBytes: probe.window,
    pattern: probe.random ? "random" : "sequential",
    cache,
    numa,
    iommu,
    measure: names.measure,
    link: `gen${pcie.generation}x${pcie.lanes}`,
    mpsBytes: pcie.mpsBytes,
    mrrsBytes: pcie.mrrsBytes,
    tags: pcie.tags,
    atsPages: probe.ats === true ? card.ats.entries : null,
    relaxed: probe.link?.relaxed === true,
    loadPerMille: probe.contention === true ? host.memory.loadPerMille : null,
    dll,
    jitter: probe.jitter ? "on" : "off",
    operations,
    seed,
  };
}

/** What the probe itself does not know. */
type PcieNames = Pick<PcieAsked, "host" | "card" | "measure"> & Pick<PcieReport, "version">;

/** The report of a probe. */
export function pcieReport(probe: PcieProbe, answer: PcieAnswer, names: PcieNames): PcieReport {
  const { bandwidthBitsPerSecond, transactionsPerSecond } = answer;
  return {
    bandwidthBitsPerSecond,
    transactionsPerSecond,
    latencyNs: latencyOf(answer.latenciesNs),
    asked: askedOf(probe, names),
    warmUpOperations: probe.warmUp,
    depth: probe.depth,
    version: names.version,
  };
}

/** The report as a table for a terminal. */
export function pcieTable(report: PcieReport): string {
  const colors = picocolors.createColors(picocolors.isColorSupported);
  const { latencyNs: l, asked: r } = report;
  const ns = (value: number): string => `${value.toFixed(1)} ns`;
  const translated = r.iommu === "off" ? "no IOMMU" : `IOMMU with pages of ${r.iommu}`;
  const cached = r.atsPages === null ? "" : `, ${r.atsPages} of them cached on the card`;
  const drawn = r.jitter === "on" ? "" : ", no jitter";
  const memory = r.loadPerMille === null ? [] : [["", `memory of which others use ${r.loadPerMille / 10} %`]];
  const rows = [
    ["card and host", `${r.card}, ${r.host}`],
    ["link", `${r.link}, MPS ${r.mpsBytes}, MRRS ${r.mrrsBytes}, ${r.tags} tags, data link layer ${r.dll}`],
    [
      "operations",
      `${r.op} ${r.sizeBytes} B over ${r.windowBytes} B, ${r.cache}, ${r.numa}, ${translated}${cached}`,
    ],
    ...memory,
    ["", `${r.operations} counted, ${report.depth} under way${drawn}`],
    ["bandwidth", `${(report.bandwidthBitsPerSecond / 1e9).toFixed(2)} Gbit/s`],
    ["rate", `${(report.transactionsPerSecond / 1e6).toFixed(2)} M/s`],
    ["latency", `median ${ns(l.median)}, mean ${ns(l.mean)}, least ${ns(l.min)}`],
    ["", `95 % ${ns(l.p95)}, 99.9 % ${ns(l.p999)}, most ${ns(l.max)}`],
  ];
  return `${columns(["", ""], rows, colors, [0, 1]).split("\n").slice(1).join("\n")}\n`;
}
