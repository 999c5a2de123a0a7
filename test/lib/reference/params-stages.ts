// SPDX-License-Identifier: Apache-2.0
/** The part of params.ts that is about stages of pages in software: docs/model.md section 18. */
import * as abi from "../../../assembly/abi.ts";
import { cipherBeside, placed, ticksPer } from "./params-hosts.ts";
import { type Put, putAll, whole } from "./params-pcie.ts";
import { engineOf, exact, type Preset, writtenAt } from "./written.ts";

/** Stages of a side that its card's cores may do: bit, and what of the engines is then not there. */
const OF_SIDE: readonly (readonly [stage: string, bit: number, engine: number])[][] = [
  [
    ["zero", 1, abi.S_ZERO_CYCLES],
    ["compress", 2, abi.S_LZ_ENGINES],
    ["encrypt", 4, abi.S_GCM_ENGINES],
  ],
  [
    ["decrypt", 4, abi.S_GCM_ENGINES],
    ["decompress", 8, abi.S_UNLZ_ENGINES],
  ],
];

/**
 * Stages on a side's host; the source's card then has neither filter nor encoders. Ciphers stay, for device
 * state and control records, and decoders for device state.
 */
function hostStages(p: Put, scenario: object, side: number, host: Preset, rounds: number): void {
  let bits = 0;
  for (const [stage, bit, engine] of OF_SIDE[side]!) {
    if (!placed(scenario, stage).startsWith("host")) continue;
    bits |= bit;
    if (stage.endsWith("compress") && placed(scenario, stage) === "host-engine")
      p(abi.S_HOST_ENGINES, whole(engineOf(scenario as Record<string, unknown>)!("engines")));
    if (stage === "zero" || stage === "compress") p(engine, 0);
  }
  const workers = side === 0 ? "workers" : "destinationWorkers";
  p(abi.S_HOST_STAGES, bits);
  p(abi.S_HOST_WORKERS, whole(writtenAt(scenario, `placement.${workers}`) ?? 1));
  p(abi.S_HOST_GCM, Math.ceil((whole(host("stages.gcmPerKiB")) * rounds) / 10));
  cipherBeside(p, scenario, side, rounds);
  const [num, den] = ticksPer(exact(host("cpu.clock")));
  p(abi.S_HOST_CPU_NUM, num);
  p(abi.S_HOST_CPU_DEN, den);
  putAll(p, host, whole, [
    [abi.S_HOST_JOB, "stages.job"],
    [abi.S_HOST_ZERO, "stages.zeroPerKiB"],
    [abi.S_HOST_LZ, "stages.lz4PerKiB"],
    [abi.S_HOST_LZ_RAW, "stages.lz4RawPerKiB"],
    [abi.S_HOST_UNLZ, "stages.unlz4PerKiB"],
  ]);
}

/** Stages on the cores of a side's card, and what each costs them. */
export function stageParams(
  p: Put,
  scenario: object,
  side: number,
  [host, card]: readonly [Preset, Preset],
  rounds: number,
): void {
  p(abi.S_HOST_CORES, whole(host("cpu.cores")));
  hostStages(p, scenario, side, host, rounds);
  let bits = 0;
  for (const [stage, bit, engine] of OF_SIDE[side]!) {
    if (writtenAt(scenario, `placement.${stage}`) !== "card-core") continue;
    bits |= bit;
    p(engine, 0);
  }
  p(abi.S_CORE_STAGES, bits);
  // the rounds of AES-256 are 14, of AES-128, of which the cost is given, 10
  p(abi.S_CORE_GCM, Math.ceil((whole(card("stages.gcmPerKiB")) * rounds) / 10));
  putAll(p, card, whole, [
    [abi.S_CORE_JOB, "stages.job"],
    [abi.S_CORE_ZERO, "stages.zeroPerKiB"],
    [abi.S_CORE_LZ, "stages.lz4PerKiB"],
    [abi.S_CORE_LZ_RAW, "stages.lz4RawPerKiB"],
    [abi.S_CORE_UNLZ, "stages.unlz4PerKiB"],
  ]);
}
