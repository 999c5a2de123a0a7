// SPDX-License-Identifier: Apache-2.0
// dirty-limit of a front-end and AtomicOps of other I/O, at random, beside the slow references.
import * as abi from "../../../assembly/abi.ts";
import type { Core } from "../../../src/core.ts";
import { TEXT } from "../configurations.ts";
import { type ProbeConfig, randomProbe, readProbe, sameProbe } from "../probe-pcie.ts";
import { generator, seeds } from "../random.ts";
import { runText } from "../timeline.ts";
import { checkTracker } from "../tracked.ts";
import { claim, same } from "./expect.ts";

const NS = 1_024_000;

const of = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

/** A guest that writes fast through rings, and rounds that are long beside a period. */
export function cardLimit(seed: number): string[] {
  const next = generator(seed ^ 0xd117);
  const memory = of(next, ["2 MiB", "3 MiB"]);
  return [
    "tracker={ kind: dirty-ring, ring: 256 }",
    "migration.throttle=dirty-limit",
    `migration.throttleRate=${of(next, [1, 1, 30, 400, 100_000])}`,
    `migration.throttlePeriod=${of(next, ["1 ms", "1 ms", "2 ms"])}`,
    `guest.generate.memory=${memory}`,
    `guest.generate.workingSet=${next() < 0.5 ? "2 MiB" : memory}`,
    `guest.generate.rate=${of(next, [1_000_000, 3_000_000])} /s`,
    `guest.vcpus=${of(next, [1, 3])}`,
    `link.rate=${of(next, ["5 Gbit/s", "10 Gbit/s"])}`,
    `source.host.tracker.logExit=${of(next, ["0 s", "1 us", "7777 ns"])}`,
    `source.host.tracker.logEntry=${of(next, ["0 s", "10 ns", "300 ns"])}`,
    `source.host.tracker.tlbFlush=${of(next, ["0 s", "4 us"])}`,
    `migration.maxRounds=${of(next, [5, 7])}`,
    "migration.onTimeout=force",
    ...(next() < 0.3 ? [`migration.timeout=${of(next, ["6 ms", "9 ms"])}`] : []),
    "migration.downtimeLimit=100 us",
    "compress=off",
    "content=sized",
    `seed=${seed}`,
  ];
}

/** A random configuration whose reads are AtomicOps. */
export function atomicProbe(seed: number): ProbeConfig {
  const next = generator(seed ^ 0xa70);
  const config = randomProbe(seed);
  const p = [...config.p];
  const bytes = of(next, [4, 8]);
  p[abi.S_TEN_KIND] = abi.TENANT_READ;
  p[abi.S_TEN_BYTES] = bytes;
  p[abi.S_TEN_STRIDE] = of(next, [bytes, 64, 4096]);
  p[abi.S_TEN_ATOMIC] = of(next, [1, 2]);
  p[abi.S_MEM_ATOMIC] = of(next, [0, 100, 2000]) * NS;
  p[abi.S_PCIE_NPD] = of(next, [1, 2, 16, abi.CREDITS_ENDLESS]);
  return { ...config, name: `AtomicOps, configuration ${seed}`, p };
}

/** What dirty-limit did is the same in two runs. */
export function sameLimits(name: string, one: Core, other: Core): void {
  for (const at of [abi.C_LIMIT_TICKS, abi.C_LIMIT_PERIODS, abi.C_STALL_TICKS, abi.C_WRITES])
    same(`${name}: counter ${at}`, one.counter(0, at), other.counter(0, at));
  for (const at of [abi.L_LIMIT_BEGAN, abi.L_LIMIT_SLEEP, abi.L_SUSPENDED, abi.L_ENDED])
    same(`${name}: log ${at}`, Number(one.logged(at)), Number(other.logged(at)));
}

/** Every write, period and sleep of the instrumented core is the slow tracker's, the lean one's the same. */
export function checkCardLimits(count = 5): void {
  let slept = 0;
  for (const seed of seeds(count)) {
    const sets = cardLimit(seed);
    const run = runText(TEXT, { sets });
    slept += Number(checkTracker(run).slept > 0);
    sameLimits(
      `limit of cards: configuration ${seed}`,
      runText(TEXT, { sets, variant: "lean" }).core,
      run.core,
    );
  }
  claim("limit of cards: guests sleep", slept > 0, slept, "above 0");
}

/** Every operation, packet and counter is the reference's. */
export function checkAtomics(count = 16): void {
  for (const seed of seeds(count)) {
    const config = atomicProbe(seed);
    try {
      sameProbe(config, readProbe(config, "lean"));
    } catch (error) {
      claim(`AtomicOps: configuration ${seed}`, false, (error as Error).message, "as the reference");
    }
  }
}
