// SPDX-License-Identifier: Apache-2.0
/**
 * A PCIe probe: operations of one size over a window of host memory, on the model's link, root complex and
 * memory. The shape of the benchmark is that of pcie-bench (Neugebauer et al., SIGCOMM 2018).
 */
import * as abi from "../../assembly/abi.ts";
import { ATOMIC_BYTES, isAtomic, type Operation } from "../atomics.ts";
import type { Core } from "../core.ts";
import {
  type Dll,
  type LinkOptions,
  type Put,
  rootLatencyTicks,
  setAts,
  setContention,
  setEngine,
  setIommu,
  setJitter,
  setLink,
  setMemory,
} from "../params-pcie.ts";
import type { ResolvedSide } from "../scenario/types.ts";

/** What is asked. */
export interface PcieProbe {
  readonly side: Pick<ResolvedSide, "pcie"> & {
    readonly host: Pick<ResolvedSide["host"], "memory" | "iommu">;
    readonly card: Pick<ResolvedSide["card"], "ats" | "engine" | "ticksPerCycle">;
  };
  readonly op: Operation;
  /** Bytes of an operation. */
  readonly size: number;
  /** Bytes of memory that operations are spread over. */
  readonly window: number;
  /** Bytes between two places where an operation may begin; the next whole cache line by default. */
  readonly stride?: number;
  readonly random: boolean;
  /** Warm: the host has just touched the window; cold: no line of it is cached. */
  readonly cache: "warm" | "cold";
  /** Where memory and line are. */
  readonly numa: "local" | "remote";
  readonly iommu: "off" | "4KiB" | "2MiB";
  /** The card keeps translations and asks for them; off by default. */
  readonly ats?: boolean;
  readonly dll: Dll;
  /** Operations under way: one for a latency, the engine's workers for a bandwidth. */
  readonly depth: number;
  readonly jitter: boolean;
  /** Reads that miss wait for the load of memory; off by default. */
  readonly contention?: boolean;
  readonly link?: LinkOptions;
  readonly seed: number;
  /** Operations before those that count, and those. */
  readonly warmUp: number;
  readonly operations: number;
}

/** What came out. */
export interface PcieAnswer {
  /** Of the operations that count: ticks between the end of the last before them and of the last. */
  readonly ticks: bigint;
  /** Data bits a second, both directions together. */
  readonly bandwidthBitsPerSecond: number;
  readonly transactionsPerSecond: number;
  /** Latency of each operation that counts, in ns, in the order in which they ended; the last 65,536. */
  readonly latenciesNs: Float64Array;
  /** Writing operations among those that count. */
  readonly writes: number;
  /** Packets and bytes on the wire, lookups of the IOTLB, from the start. */
  readonly counters: {
    readonly upTlps: number;
    readonly downTlps: number;
    readonly iotlbMisses: number;
    readonly atcMisses: number;
  };
}

/** What of the window is cached, and where it is. */
function setCache(p: Put, probe: PcieProbe): void {
  const { memory } = probe.side.host;
  // of a window larger than the cache what was touched last is left
  const cached = probe.cache === "cold" ? 0 : Math.min(1, memory.cacheBytes / probe.window);
  p(abi.S_MEM_MISS_ADDER, cached < 1 ? memory.missAdderTicks : 0);
  p(abi.S_MEM_MISS_SHARE, Math.round((1 - cached) * 2 ** 32));
  p(abi.S_MEM_REMOTE_ADDER, probe.numa === "remote" ? memory.remoteAdderTicks : 0);
  p(abi.S_MEM_SEED, probe.seed);
}

interface Mark {
  readonly at: bigint;
  readonly writes: number;
}

function runUntil(core: Core, operations: number): Mark {
  if (Number(core.fn("runPcieProbe")(operations)) === 0) {
    const invariant = Number(core.global("brokenInvariant"));
    throw new Error(`the probe stopped early: invariant ${invariant}`);
  }
  const at = core.address("probeMarks");
  return { at: core.u64(at), writes: Number(core.u64(at + 16)) };
}

function latencies(core: Core, last: number, count: number): Float64Array {
  const at = core.address("probeLatencies");
  const kept = Math.min(count, abi.LATENCIES_MAX);
  return Float64Array.from({ length: kept }, (_, i) => {
    const index = (last - kept + i) % abi.LATENCIES_MAX;
    return Number(core.u64(at + 8 * index)) / abi.TICKS_PER_NS;
  });
}

/**
 * Runs a probe on a core, whatever that did before.
 * @throws RangeError when an AtomicOp has another size, nobody would write, or nobody translate; Error when
 *   an invariant breaks
 */
export function pcieProbe(core: Core, probe: PcieProbe): PcieAnswer {
  if (isAtomic(probe.op) && !ATOMIC_BYTES.includes(probe.size))
    throw new RangeError("AtomicOps are of 4 or 8 bytes");
  if (probe.op === "readwrite" && probe.depth < 2) throw new RangeError("mixed operations need a depth of 2");
  const asked = probe.ats === true ? probe.side.card.ats.requests : 0;
  if (asked > 0 && probe.iommu === "off") throw new RangeError("a card that translates needs an IOMMU");
  if (asked >= probe.side.pcie.tags)
    throw new RangeError(`translation requests take ${asked} tags: none is left`);
  core.clearParams();
  const p: Put = (key, value) => core.setSideParam(0, key, value);
  const [num, den] = probe.side.card.ticksPerCycle;
  p(abi.S_CARD_NUM, num);
  p(abi.S_CARD_DEN, den);
  setLink(p, probe.side.pcie, probe.dll, probe.link);
  p(abi.S_PCIE_TAGS_VSOCK, 0);
  p(abi.S_PCIE_TAGS_DESC, 0);
  p(abi.S_WRITE_ISSUE, 0);
  p(abi.S_WRITE_QUEUES, 2);
  setIommu(p, probe.side.host, probe.iommu);
  setAts(p, probe.side.card.ats, probe.ats === true);
  setJitter(core, 0, p, probe.side.host, probe.jitter);
  setMemory(p, probe.side.host.memory, rootLatencyTicks(probe.side.host, probe.side.pcie, probe.jitter));
  setContention(p, probe.side.host.memory, probe.contention === true);
  setCache(p, probe);
  const { op, size: sizeBytes, window: windowBytes, random, depth: workers, stride } = probe;
  setEngine(p, probe.side.card.engine, { op, sizeBytes, windowBytes, random, workers, stride });
  p(abi.S_TEN_TAGS, probe.side.pcie.tags - asked);
  if (Number(core.fn("buildPcieProbe")()) === 0) throw new Error("the probe does not fit in memory");
  const total = probe.warmUp + probe.operations;
  const first = runUntil(core, probe.warmUp);
  const last = runUntil(core, total);
  core.fn("closePcieProbe")();
  const ticks = last.at - first.at;
  const perSecond = (Number(abi.TICKS_PER_NS) * 1e9) / Number(ticks);
  return {
    ticks,
    bandwidthBitsPerSecond: probe.operations * probe.size * 8 * perSecond,
    transactionsPerSecond: probe.operations * perSecond,
    latenciesNs: latencies(core, total, probe.operations),
    writes: last.writes - first.writes,
    counters: {
      upTlps: core.counter(0, abi.C_UP_TLPS),
      downTlps: core.counter(0, abi.C_DOWN_TLPS),
      iotlbMisses: core.counter(0, abi.C_IOTLB_MISSES),
      atcMisses: core.counter(0, abi.C_ATC_MISSES),
    },
  };
}
