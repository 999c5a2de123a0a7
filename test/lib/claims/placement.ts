// SPDX-License-Identifier: Apache-2.0
/** Claims about stages of pages that a placement puts on cores. */
import * as abi from "../../../assembly/abi.ts";
import { generator } from "../random.ts";
import { sameLists } from "../reference/compare.ts";
import { stagesOf } from "../reference/cores.ts";
import { type Run, runText } from "../timeline.ts";
import { same } from "./expect.ts";

const STAGES = ["zero", "compress", "encrypt", "decrypt", "decompress"] as const;

export const STAGES_ON_CORES = `{ ${STAGES.map((stage) => `${stage}: card-core`).join(", ")} }`;

/** A random placement on random cores. */
export function coreSets(next: () => number, seed: number): string[] {
  const one = <T>(...of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const places = STAGES.map((stage) => `${stage}: ${one("card", "card-core", "card-core")}`);
  const sets = ["source", "destination"].flatMap((side) => [
    `${side}.card.control.cores=${one(1, 2, 3, 8)}`,
    `${side}.card.control.clock=${one("1.5 GHz", "700 MHz", "2 GHz")}`,
    `${side}.card.clock=${one("1 GHz", "375 MHz", "250 MHz")}`,
    `${side}.card.stages.job=${one(0, 1, 300, 5000)} cycles`,
    `${side}.card.stages.zeroPerKiB=${one(0, 128, 1001)} cycles`,
    `${side}.card.stages.lz4PerKiB=${one(1, 6144, 30011)} cycles`,
    `${side}.card.stages.lz4RawPerKiB=${one(0, 1024, 7001)} cycles`,
    `${side}.card.stages.unlz4PerKiB=${one(0, 1536, 9001)} cycles`,
    `${side}.card.stages.gcmPerKiB=${one(1, 1536, 12007)} cycles`,
  ]);
  return [
    ...sets,
    `placement={ ${places.join(", ")} }`,
    `encrypt.cipher=aes-${one(128, 256)}-gcm`,
    `seed=${seed}`,
  ];
}

/** Every stage of a run on the cores of both cards, against the reference; how many there were. */
export function checkCores(run: Run): number {
  let compared = 0;
  for (const side of [0, 1]) {
    const { seen, predicted } = stagesOf(run.params.sides[side]!, run.events, side);
    const order = (a: { from: number; stage: number; index: number }, b: typeof a): number =>
      a.from - b.from || a.stage - b.stage || a.index - b.index;
    seen.sort(order);
    predicted.sort(order);
    if (seen.length > 0) compared += sameLists(`stages of side ${side}`, seen, predicted);
  }
  return compared;
}

const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 100 KiB, rate: 300000 /s, workingSet: 60 KiB, mix: { zero: 20, text: 50, random: 30 } }
  deviceState: 8 KiB
compress: { engine: lz4-sw }
link: { transport: udp }
migration: { onTimeout: force, maxRounds: 3, downtimeLimit: 1 us }
`;

/** Whole migrations with stages on cores, whose invariants and clocks a mistake in the core must not pass. */
export function checkStages(): void {
  const sized = ["content=sized", "guest.generate.memory=1 MiB", "source.card.control.cores=1"];
  for (const [sets, seed] of [
    [[], 3],
    [sized, 4],
  ] as const) {
    const all = [...coreSets(generator(seed), seed), `placement=${STAGES_ON_CORES}`, ...sets];
    const { core, stop } = runText(TEXT, { sets: all, variant: "lean" });
    same("placement: invariant", core.global("brokenInvariant"), 0);
    same("placement: stopped", stop, abi.STOP_DONE);
    same("placement: not home", Number(core.notHome()), 0);
  }
  checkWork();
  checkLost();
}

/** One vCPU and the front-end, which is broken off: on one core all of its work is lost, on two nothing. */
function checkLost(): void {
  const bound = ["guest.vcpus=1", "migration={ timeout: 1 ms, onTimeout: fail }", "content=sized"];
  const slow = "source.host.tracker.protectPage=50 us";
  for (const cores of [1, 2]) {
    const sets = [...bound, slow, `source.host.cpu.cores=${cores}`];
    const { core } = runText(TEXT, { sets, variant: "lean" });
    const worked = core.counter(0, abi.C_HOST_TICKS);
    same(`placement: lost on ${cores} cores`, core.counter(0, abi.C_GUEST_CPU), cores === 1 ? worked : 0);
  }
}

/** 256 pages of random bytes: each is looked at for 64 B, coded in vain, sealed with its header. */
function checkWork(): void {
  const random = "guest.generate={ memory: 1 MiB, rate: 0 /s, workingSet: 4 KiB, mix: { random: 100 } }";
  const sets = [random, `placement=${STAGES_ON_CORES}`, "source.card.control.clock=1 GHz"];
  const { core } = runText(TEXT, { sets, variant: "lean" });
  const ns = (side: number, counter: number): number => core.counter(side, counter) / abi.TICKS_PER_NS;
  const pages = 256;
  // two pieces of device state besides, and control records; costs of the preset
  const near = (what: string, found: number, least: number): void =>
    same(`placement: ${what}`, found >= least && found < 1.06 * least, true);
  near("zero filter", ns(0, abi.C_STAGE_ZERO), pages * (300 + 8));
  near("compress", ns(0, abi.C_STAGE_COMPRESS), pages * (300 + 4 * 1024));
  near("seal", ns(0, abi.C_STAGE_CRYPT), pages * (300 + 6168));
  near("open", ns(1, abi.C_STAGE_CRYPT), pages * (300 + 6168));
}
