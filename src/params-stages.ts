// SPDX-License-Identifier: Apache-2.0
/** Stages of pages in software: which of them the cores of a card do, and what they cost; cores of hosts. */
import * as abi from "../assembly/abi.ts";
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

/** Sets them; the units in whose place the cores work are not there. */
export function setStages(p: Put, side: ResolvedSide, s: ResolvedScenario, index: number): void {
  const bits = coreStages(s, index);
  const { stages } = side.card;
  p(abi.S_HOST_CORES, side.host.cpu.cores);
  p(abi.S_CORE_STAGES, bits);
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
