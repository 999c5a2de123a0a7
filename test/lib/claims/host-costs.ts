// SPDX-License-Identifier: Apache-2.0
/** Costs of pages by cycles (`software: { costs: cycles }`) beside docs/model.md section 16. */
import { simulate } from "../../../src/index.ts";
import { generated, inputOf } from "../migrate.ts";
import { generator, seeds } from "../random.ts";
import { same } from "./expect.ts";

export const BASE = { placement: "qemu", compress: "off", encrypt: "off", content: "sized" };
const CYCLES = ["check", "send", "zstd", "receive", "unzstd"] as const;
type Cycles = Record<(typeof CYCLES)[number], number>;

/** ceil(a / b) */
const up = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** Ticks of so many cycles at a clock in MHz: 2^10 x 10^12 ticks are a second. */
const ticksAt = (cycles: bigint, mhz: number): number =>
  Number(up(cycles * 1_024_000_000_000_000n, BigInt(mhz) * 1_000_000n));

/** The formula of docs/model.md section 16, in whole numbers. */
export function costsOf(c: Cycles, mhz: readonly [number, number], ratio: number | null) {
  const kib = (n: number): bigint => 4n * BigInt(n);
  const left = ratio === null ? 4096n : BigInt(Math.round(4_096_000 / ratio));
  const of = (n: number): bigint => up(left * BigInt(n), 1024n);
  const zstd = ratio !== null;
  return {
    normal: ticksAt(kib(c.check) + of(c.send) + (zstd ? kib(c.zstd) : 0n), mhz[0]),
    zero: ticksAt(kib(c.check), mhz[0]),
    load: ticksAt(of(c.receive) + (zstd ? kib(c.unzstd) : 0n), mhz[1]),
    loadZero: ticksAt(kib(c.check), mhz[1]),
  };
}

export const multifdOf = (ratio: number | null): object =>
  ratio === null ? {} : { multifd: { compression: "zstd", ratioPerMille: ratio } };

function hostOf(c: Cycles, mhz: number, keys: readonly (keyof Cycles)[]): object {
  const qemu = Object.fromEntries(keys.map((key) => [`${key}PerKiB`, `${c[key]} cycles`]));
  return { preset: "gen5-host", cpu: { clock: `${mhz} MHz` }, qemu };
}

/** Random hosts, every seventh with no cycles at all: costs of threads and channels are the formula's. */
export function checkHostCosts(count = 20): void {
  for (const seed of seeds(count)) {
    const r = generator(seed);
    const upTo = (n: number): number => Math.floor(r() * (n + 1));
    const most = seed % 7 === 0 ? 0 : 40_000;
    const c = Object.fromEntries(CYCLES.map((key) => [key, upTo(most)])) as Cycles;
    const mhz = [1000 + upTo(4000), 1000 + upTo(4000)] as const;
    const ratio = r() < 0.4 ? null : 1000 + upTo(9000);
    const scenario = {
      ...BASE,
      guest: generated(64, 0),
      source: { host: hostOf(c, mhz[0], ["check", "send", "zstd"]) },
      destination: { host: hostOf(c, mhz[1], ["check", "receive", "unzstd"]) },
      migration: { downtimeLimit: "3 ms" },
      software: { costs: "cycles", ...multifdOf(ratio) },
    };
    const own = inputOf(scenario).scenario.software!;
    const want = costsOf(c, mhz, ratio);
    const what = `host costs: configuration ${seed}`;
    same(`${what}: page`, own.normalTicks, want.normal);
    same(`${what}: zero page`, own.zeroTicks, want.zero);
    same(`${what}: page there`, own.loadTicks, want.load);
    same(`${what}: zero page there`, own.loadZeroTicks, want.loadZero);
    const { multifd } = own.features;
    if (multifd === null) continue;
    same(`${what}: channel`, multifd.normalTicks, want.normal);
    same(`${what}: channel, zero page`, multifd.zeroTicks, want.zero);
  }
}

/** A core that has run cards, one guest and several, runs software as a fresh one does. */
export function checkSoftwareBehindCards(): void {
  const run = { ...BASE, guest: generated(64, 1000), migration: { downtimeLimit: "3 ms" } };
  const fresh = simulate(inputOf(run)).fingerprint;
  const guest = generated(64, 1000);
  for (const cards of [{ guest }, { guests: [guest, guest] }]) {
    const before = inputOf({ content: "sized", ...cards });
    const { core } = before;
    simulate(before);
    same("software behind cards", simulate(inputOf(run, { input: { core } })).fingerprint, fresh);
  }
}
