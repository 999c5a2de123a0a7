// SPDX-License-Identifier: Apache-2.0
/** What the PCIe suites run: probes on one core, with an ideal card and host or with presets. */
import { Core, coreModule } from "../core.ts";
import { type PcieAnswer, type PcieProbe, pcieProbe } from "../probe/pcie.ts";
import { pcieTicksPerByte } from "../scenario/fill.ts";
import { resolveSide } from "../scenario/resolve.ts";

let shared: Core | undefined;

/** A core that all probes of a process share. */
export function probeCore(): Core {
  shared ??= new Core(coreModule("lean"));
  return shared;
}

/** Side of a probe from preset names. */
export function presetSide(host: string, card: string, pcie: object = {}): PcieProbe["side"] {
  return resolveSide({ host: { preset: host, pcie }, card: { preset: card, pcie } }, "probe");
}

export interface IdealLink {
  readonly generation: number;
  readonly lanes: number;
  readonly mps: number;
  readonly mrrs: number;
  /** Reads longer than this are completed in pieces of MPS, others of RCB. */
  readonly combineAbove: number;
}

/** Takes no time and waits for nothing. */
const IDEAL_ENGINE: PcieProbe["side"]["card"]["engine"] = {
  workers: 1024,
  startTicks: 0,
  tagHoldTicks: 0,
  tagRings: 0,
  completions: 0,
  copyTicksPerKib: 0,
  memoryTicksPerKib: 0,
  issueTicks: 0,
  writeFloorTicks: 0,
  burstBytes: 4096,
  burstGapTicks: 0,
};

/** A link with nothing but itself in the way: no latency, no credits, every tag. */
export function idealSide(link: IdealLink): PcieProbe["side"] {
  const { generation, lanes } = link;
  const credits = { ph: 0, pd: 0, nph: 0, npd: 0 };
  return {
    pcie: {
      generation,
      lanes,
      ticksPerByte: pcieTicksPerByte(generation, lanes),
      linkSharePerMille: 1000,
      mpsBytes: link.mps,
      mrrsBytes: link.mrrs,
      rcbBytes: 64,
      combineAboveBytes: link.combineAbove,
      tags: 1024,
      completionBufferBytes: 2 ** 26,
      completionHeaders: 2 ** 20,
      replayBufferBytes: 65536,
      flightTicks: 0,
      hostCredits: credits,
      cardCredits: credits,
    },
    host: {
      memory: {
        ticksPerByte: [0, 1],
        readLatencyTicks: 0,
        missAdderTicks: 0,
        atomicAdderTicks: 0,
        remoteAdderTicks: 0,
        cacheBytes: 2 ** 40,
        loadPerMille: 0,
        sustainedPerMille: 1000,
        contentionPerMille: 0,
        jitter: { minTicks: 0, p5Ticks: 0, p95Ticks: 0, p99Ticks: 0, p999Ticks: 0, maxTicks: 0 },
        copyTicksPerByte: [0, 1],
      },
      iommu: {
        entries: 1,
        ways: 1,
        walkTicks: 0,
        recoveryTicks: 0,
        readTicksPerCompletion: 0,
        walkers: 1,
        serialWalks: false,
      },
    },
    card: {
      ats: { entries: 1, requests: 1 },
      ticksPerCycle: [1024, 1],
      engine: IDEAL_ENGINE,
    },
  };
}

/** A probe with what most suites leave as it is. */
export function ask(
  asked: Pick<PcieProbe, "side" | "op" | "size" | "depth" | "operations"> & Partial<PcieProbe>,
): PcieAnswer {
  return pcieProbe(probeCore(), {
    window: 8192,
    random: true,
    cache: "warm",
    numa: "local",
    iommu: "off",
    dll: "explicit",
    jitter: false,
    seed: 1,
    warmUp: Math.max(4 * asked.depth, 2000),
    ...asked,
  });
}
