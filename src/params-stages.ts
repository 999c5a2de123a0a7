// SPDX-License-Identifier: Apache-2.0
/** Stages of pages in software: which of them the cores of a card do, and what they cost; cores of hosts. */
import * as abi from "../assembly/abi.ts";
import { setHostCiphers } from "./params-hosts.ts";
import type { Put } from "./params-pcie.ts";
import type { ResolvedScenario, ResolvedSide } from "./scenario/types.ts";

/** Rounds of AES-128, of which the cost is given. */
const AES_128_ROUNDS = 10;

/** The stages of a side, each with its bit. */
const STAGES = [
  [
    ["zero", abi.STAGE_ZERO],
    ["compress", abi.STAGE_COMPRESS],
    ["encrypt", abi.STAGE_CRYPT],
  ],
  [
    ["decrypt", abi.STAGE_CRYPT],
    ["decompress", abi.STAGE_DECOMPRESS],
  ],
] as const;

/** STAGE_ bits of what the cores of a side's card do. */
export function coreStages(s: ResolvedScenario, index: number): number {
  const stages = s.placement.stages;
  return STAGES[index]!.reduce((bits, [name, bit]) => bits + (stages[name].at === "card-core" ? bit : 0), 0);
}

/** Cycles of a KiB of a record with so many rounds. */
export function gcmPerKib(s: ResolvedScenario, side: ResolvedSide): number {
  return Math.ceil((side.card.stages.gcmPerKibCycles * s.encrypt.rounds) / AES_128_ROUNDS);
}

/** STAGE_ bits of what a side's host does. */
function hostStages({ placement: { stages } }: ResolvedScenario, index: number): number {
  return STAGES[index]!.reduce(
    (bits, [name, bit]) => bits + (stages[name].at.startsWith("host") ? bit : 0),
    0,
  );
}

function setHostStages(p: Put, { host, card }: ResolvedSide, s: ResolvedScenario, index: number): void {
  const [num, den] = host.cpu.ticksPerCycle;
  const beside = index === 0 && s.placement.stages.compress.at === "host-engine";
  p(abi.S_HOST_STAGES, hostStages(s, index));
  p(abi.S_HOST_WORKERS, index === 0 ? s.placement.workers : (s.placement.there?.workers ?? 1));
  p(abi.S_HOST_JOB, host.stages.jobCycles);
  p(abi.S_HOST_CPU_NUM, num);
  p(abi.S_HOST_CPU_DEN, den);
  p(abi.S_HOST_ZERO, host.stages.zeroPerKibCycles);
  p(abi.S_HOST_LZ, host.stages.lz4PerKibCycles);
  p(abi.S_HOST_LZ_RAW, host.stages.lz4RawPerKibCycles);
  p(abi.S_HOST_UNLZ, host.stages.unlz4PerKibCycles);
  p(abi.S_HOST_GCM, Math.ceil((host.stages.gcmPerKibCycles * s.encrypt.rounds) / AES_128_ROUNDS));
  const engines = index === 0 ? (beside ? card.compressor.engines : 0) : (s.placement.decodes?.engines ?? 0);
  p(abi.S_HOST_ENGINES, engines);
  setHostCiphers(p, index === 0 ? s.placement.seals : s.placement.opens, s.encrypt.rounds);
}

/** Sets them; the units in whose place the cores work are not there. */
export function setStages(p: Put, side: ResolvedSide, s: ResolvedScenario, index: number): void {
  const cores = coreStages(s, index);
  const bits = index === 0 ? cores | (hostStages(s, 0) & ~abi.STAGE_CRYPT) : cores;
  const { stages } = side.card;
  setHostStages(p, side, s, index);
  p(abi.S_HOST_CORES, side.host.cpu.cores);
  p(abi.S_CORE_STAGES, cores);
  p(abi.S_CORE_JOB, stages.jobCycles);
  p(abi.S_CORE_ZERO, stages.zeroPerKibCycles);
  p(abi.S_CORE_LZ, stages.lz4PerKibCycles);
  p(abi.S_CORE_LZ_RAW, stages.lz4RawPerKibCycles);
  p(abi.S_CORE_UNLZ, stages.unlz4PerKibCycles);
  p(abi.S_CORE_GCM, gcmPerKib(s, side));
  if ((bits & abi.STAGE_ZERO) !== 0) p(abi.S_ZERO_CYCLES, 0);
  if ((bits & abi.STAGE_COMPRESS) !== 0) p(abi.S_LZ_ENGINES, 0);
  if ((bits & abi.STAGE_CRYPT) !== 0) p(abi.S_GCM_ENGINES, 0);
  if ((bits & abi.STAGE_DECOMPRESS) !== 0) p(abi.S_UNLZ_ENGINES, 0);
}
