// SPDX-License-Identifier: Apache-2.0
/** A resolved host: its memory, IOMMU, IOTLB, cores, and what its software costs. */
import type { Ratio } from "./types.ts";
import type { ResolvedStages } from "./types-placement.ts";

/** A host. */
export interface ResolvedHost {
  /** Name of the preset it started from. */
  preset: string;
  cpu: {
    /** Ticks per clock cycle of a core. */
    ticksPerCycle: Ratio;
    /** That vCPUs share with the migration's work; 0: there are enough. */
    cores: number;
  };
  memory: {
    /** Ticks per byte at the DRAM's peak bandwidth. */
    ticksPerByte: Ratio;
    /** From a read request's last byte to its completion's first, data in the last-level cache. */
    readLatencyTicks: number;
    /** Added to it when the data is not there. */
    missAdderTicks: number;
    /** Of an AtomicOp beyond a read. */
    atomicAdderTicks: number;
    /** Added to it when line and memory are on the other socket. */
    remoteAdderTicks: number;
    /** Last-level cache of a socket. */
    cacheBytes: number;
    /** Share that others use of the bandwidth it sustains, and that of its peak. */
    loadPerMille: number;
    sustainedPerMille: number;
    /** Factor on the wait that load means to a read. */
    contentionPerMille: number;
    /** By how much a read's latency lies below its median at least, and above it by quantile. */
    jitter: {
      minTicks: number;
      p5Ticks: number;
      p95Ticks: number;
      p99Ticks: number;
      p999Ticks: number;
      maxTicks: number;
    };
    /** Ticks per byte that one core copies. */
    copyTicksPerByte: Ratio;
  };
  iommu: {
    /** Translations the IOTLB holds, and those of one of its sets. */
    entries: number;
    ways: number;
    walkTicks: number;
    /** From a walk's end to the next of its walker; a read keeps it longer for each of its completions. */
    recoveryTicks: number;
    readTicksPerCompletion: number;
    /** Page walks at a time. */
    walkers: number;
    /** Whether walks of one page table follow each other. */
    serialWalks: boolean;
  };
  tracker: {
    /** Stall of a vCPU that writes a protected page. */
    writeFaultTicks: number;
    /** Core cycles to read and clear one 64-bit word of the dirty bitmap. */
    scanWordCycles: number;
    /** Write protection, or clearing of the dirty bit, of one page. */
    protectPageTicks: number;
    /** Flush of all vCPUs' TLBs after a batch has been protected. */
    tlbFlushTicks: number;
    /** Exit and entry of a vCPU whose log of dirty pages is brought in. */
    logExitTicks: number;
    /** One entry of such a log. */
    logEntryTicks: number;
    /** An examination of the ring of device records, and of a record. */
    examineTicks: number;
    recordTicks: number;
    /** Read of an entry of the IOMMU's page table, clearing its dirty bit, a flush of the IOTLB. */
    iommuEntryCycles: number;
    iommuClearTicks: number;
    iotlbFlushTicks: number;
  };
  frontend: {
    /** Stopping the vCPUs and reading device state. */
    suspendTicks: number;
    /** Setting device state and starting the vCPUs. */
    resumeTicks: number;
    /** From MSI-X to the driver's handler. */
    interruptTicks: number;
    /** Setting 1 KiB of device state. */
    deviceStatePerKibTicks: number;
  };
  /** What stages of pages cost its cores. */
  stages: ResolvedStages;
  vsock: {
    /** Host software per message, each way. */
    messageCostTicks: number;
  };
}
