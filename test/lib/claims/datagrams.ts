// SPDX-License-Identifier: Apache-2.0
// Work of a card's firmware for datagrams: every frame and handler of migrations against the slow reference,
// and what a core hears and decides at most.
import * as assert from "uvu/assert";
import * as abi from "../../../assembly/abi.ts";
import type { Variant } from "../../../src/core.ts";
import { sameBooks } from "../configurations.ts";
import { generator } from "../random.ts";
import { checkLossy } from "../reference/compare.ts";
import { guestText, of, type Run, runText } from "../timeline.ts";

const NS = abi.TICKS_PER_NS;
/** Of the firmware's own delay of an acknowledgement; the harness's is taken over by lib/timeline. */
const DELAY: [number, number] = [abi.G_NET_DELACK, 100_000 * NS];

const UDP = ["link.transport=udp", "link.rate=10 Gbit/s", "link.rtt=50 us"];

/** A run over a path that loses; costs of both cards in cycles. */
export function udpRun(
  ack: number,
  again: number,
  sets: readonly string[],
  memory = "256 KiB",
  variant: Variant = "instrumented",
): Run {
  const costs = ["source", "destination"].flatMap((side) => [
    `${side}.card.control.datagramAckCycles=${ack} cycles`,
    `${side}.card.control.datagramAgainCycles=${again} cycles`,
  ]);
  const text = guestText(memory, { deviceState: "64 KiB" });
  const run = runText(text, { sets: [...UDP, ...costs, ...sets], globals: [DELAY], variant });
  assert.is(run.stop, abi.STOP_DONE);
  return run;
}

const started = (run: Run, side: number, handler: number) =>
  of(run, abi.T_STAGE, side).filter((e) => e.which === abi.U_CONTROL && e.c === handler);

/** What random runs have had: frames, handlers of each kind, acknowledgements that found the queue full. */
export interface Seen {
  frames: number;
  heard: number;
  decided: number;
  unheard: number;
}

/** Random costs, losses, cores, clocks: every frame and handler to the tick, and the lean core the same. */
export function checkDatagrams(seeds: readonly number[]): Seen {
  const seen = { frames: 0, heard: 0, decided: 0, unheard: 0 };
  for (const seed of seeds) {
    const next = generator(seed);
    const one = <T>(...values: readonly T[]): T => values[Math.floor(next() * values.length)]!;
    // one in four has more acknowledgements than the queue holds
    const crowded = next() < 0.25;
    const few = <T>(when: T, ...values: readonly T[]): T => (crowded ? when : one(...values));
    const sets = [
      `link.loss=${one(0, 0.02, 0.1, 0.3)}`,
      `link.mtu=${few(1500, 1500, 9000)}`,
      `link.jitter=${one("0 s", "2 us")}`,
      `link.streams=${one(1, 1, 3)}`,
      `link.window=${few("4 MiB", "64 KiB", "4 MiB")}`,
      `compress=${few("off", "off", "{ engine: lz4-hw }")}`,
      `source.card.control.cores=${few(1, 1, 2, 4)}`,
      `destination.card.control.cores=${one(1, 4)}`,
      `source.card.control.clock=${one("1.5 GHz", "700 MHz", "100 MHz")}`,
      `seed=${seed}`,
    ];
    const ack = few(60_000, 0, 1, 100, 3000);
    // of several connections what has been taken is no matter of one
    if (sets[3] === "link.streams=3") sets.push("content=sized");
    const costs = [ack, one(0, 7, 500, 20_000)] as const;
    const memory = crowded ? "1 MiB" : "256 KiB";
    const run = udpRun(...costs, sets, memory);
    sameBooks(`datagrams ${seed}`, run.core, udpRun(...costs, sets, memory, "lean").core);
    if (sets[3] !== "link.streams=3") seen.frames += checkLossy(run);
    for (const side of [0, 1]) {
      seen.heard += started(run, side, abi.F_HEARD).length;
      seen.decided += started(run, side, abi.F_DECIDED).length;
      seen.unheard += run.core.counter(side, abi.C_ACKS_UNHEARD);
    }
  }
  return seen;
}

/**
 * One core hears f / A acknowledgements a second at most; where more come, it comes near, and those that find
 * the queue full are not heard.
 */
export function checkHearing(): void {
  const sets = ["source.card.control.cores=1", "link.mtu=1500", "compress=off"];
  // 30,000 cycles of 1.5 GHz: 20 us
  const run = udpRun(30_000, 0, sets, "1 MiB");
  const heard = started(run, 0, abi.F_HEARD);
  const span = heard.at(-1)!.t - heard[0]!.t;
  const most = span / (20_000 * NS) + 1;
  assert.ok(heard.length <= most, `${heard.length} heard, at most ${most}`);
  assert.ok(heard.length > 0.8 * most, `${heard.length} heard, of ${most} that were possible`);
  assert.ok(run.core.counter(0, abi.C_ACKS_UNHEARD) > 0);
  // each that has come until the books were closed was heard, or not, or one of 64 that wait
  const booksAt = Number(run.core.logged(abi.L_BOOKS));
  const came = of(run, abi.T_ARRIVE, 0).filter((e) => e.a === 0 && e.t <= booksAt).length;
  const counts = [abi.C_ACKS_HEARD, abi.C_ACKS_UNHEARD].map((i) => run.core.counter(0, i));
  const waiting = came - counts[0]! - counts[1]!;
  assert.ok(waiting >= 0 && waiting <= 64, `${waiting} wait`);
  // negative control: without cost none waits, and the migration is faster
  const free = udpRun(0, 0, sets, "1 MiB");
  assert.is(started(free, 0, abi.F_HEARD).length, 0);
  assert.is(free.core.counter(0, abi.C_ACKS_HEARD), 0);
  assert.ok(ended(free) < ended(run), `${ended(free)}, ${ended(run)} ticks`);
}

const ended = (run: Run): number => Number(run.core.logged(abi.L_ENDED));

/** Datagrams sent again are no more than decisions, and a core makes f / R of them a second at most. */
export function checkDeciding(): void {
  const sets = ["link.loss=0.1", "source.card.control.cores=1", "link.mtu=1500", "compress=off"];
  // 15,000 cycles: 10 us each
  const run = udpRun(0, 15_000, sets);
  const decided = started(run, 0, abi.F_DECIDED);
  const decisions = decided.reduce((sum, e) => sum + (e.b - e.t) / (10_000 * NS), 0);
  const lost = framesLost(run);
  assert.ok(lost > 10, `${lost} lost`);
  // each that was lost is decided on, those that are lost again as often; an edge is up to a cycle late
  assert.ok(
    Math.abs(decisions - Math.round(decisions)) < 0.01 && decisions > 0.9 * lost,
    `${decisions}, ${lost}`,
  );
  const free = udpRun(0, 0, sets);
  assert.is(started(free, 0, abi.F_DECIDED).length, 0);
  // the last of a round waits for its decision at least
  assert.ok(ended(run) > ended(free) + 10_000 * NS, `${ended(run)}, ${ended(free)} ticks`);
}

/** Frames with data of the source that did not arrive. */
function framesLost(run: Run): number {
  const data = (kind: number, side: number): number => of(run, kind, side).filter((e) => e.a > 0).length;
  return data(abi.T_FRAME, 0) - data(abi.T_ARRIVE, 1);
}
