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

/** The answer of a probe, as JSON has it. */
export interface PcieReport {
  /** Data bits a second; of mixed operations both directions together. */
  readonly bandwidthBitsPerSecond: number;
  readonly transactionsPerSecond: number;
  /** Of each operation, from the worker that asks for it to its end. */
  readonly latencyNs: LatencyNs;
  readonly host: string;
  readonly card: string;
  /** The link that the two agree on. */
  readonly link: string;
  readonly mps: number;
  readonly mrrs: number;
  readonly tags: number;
  readonly op: PcieProbe["op"];
  readonly size: number;
  readonly window: number;
  readonly cache: PcieProbe["cache"];
  readonly numa: PcieProbe["numa"];
  readonly iommu: PcieProbe["iommu"];
  /** Pages that the card's translation cache holds; null without one. */
  readonly ats: number | null;
  /** Share of host memory that others use, in thousandths; null when its load does not count. */
  readonly load: number | null;
  readonly dll: PcieProbe["dll"];
  readonly operations: number;
  /** Operations under way at most. */
  readonly depth: number;
}

function latencyOf(values: Float64Array): LatencyNs {
  const sorted = values.toSorted();
  const at = (q: number): number => sorted[Math.floor((sorted.length - 1) * q)]!;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { min: at(0), median: at(0.5), mean, p95: at(0.95), p999: at(0.999), max: at(1) };
}

/** The report of a probe. */
export function pcieReport(
  probe: PcieProbe,
  answer: PcieAnswer,
  names: { readonly host: string; readonly card: string },
): PcieReport {
  const { pcie } = probe.side;
  const { op, size, window, cache, numa, iommu, dll, operations, depth } = probe;
  const { bandwidthBitsPerSecond, transactionsPerSecond } = answer;
  return {
    bandwidthBitsPerSecond,
    transactionsPerSecond,
    latencyNs: latencyOf(answer.latenciesNs),
    ...names,
    link: `gen${pcie.generation}x${pcie.lanes}`,
    mps: pcie.mpsBytes,
    mrrs: pcie.mrrsBytes,
    tags: pcie.tags,
    op,
    size,
    window,
    cache,
    numa,
    iommu,
    ats: probe.ats === true ? probe.side.card.ats.entries : null,
    load: probe.contention === true ? probe.side.host.memory.loadPerMille : null,
    dll,
    operations,
    depth,
  };
}

/** The report as a table for a terminal. */
export function pcieTable(r: PcieReport): string {
  const colors = picocolors.createColors(picocolors.isColorSupported);
  const { latencyNs: l } = r;
  const ns = (value: number): string => `${value.toFixed(1)} ns`;
  const translated = r.iommu === "off" ? "no IOMMU" : `IOMMU with pages of ${r.iommu}`;
  const cached = r.ats === null ? "" : `, ${r.ats} of them cached on the card`;
  const memory = r.load === null ? [] : [["", `memory of which others use ${r.load / 10} %`]];
  const rows = [
    ["card and host", `${r.card}, ${r.host}`],
    ["link", `${r.link}, MPS ${r.mps}, MRRS ${r.mrrs}, ${r.tags} tags, data link layer ${r.dll}`],
    ["operations", `${r.op} ${r.size} B over ${r.window} B, ${r.cache}, ${r.numa}, ${translated}${cached}`],
    ...memory,
    ["", `${r.operations} counted, ${r.depth} under way`],
    ["bandwidth", `${(r.bandwidthBitsPerSecond / 1e9).toFixed(2)} Gbit/s`],
    ["rate", `${(r.transactionsPerSecond / 1e6).toFixed(2)} M/s`],
    ["latency", `median ${ns(l.median)}, mean ${ns(l.mean)}, least ${ns(l.min)}`],
    ["", `95 % ${ns(l.p95)}, 99.9 % ${ns(l.p999)}, most ${ns(l.max)}`],
  ];
  return `${columns(["", ""], rows, colors, [0, 1]).split("\n").slice(1).join("\n")}\n`;
}
