// SPDX-License-Identifier: Apache-2.0
// TCP over a path that loses: every frame of random links against the slow reference, to the tick, and the
// scheduler that steps everything against the one that does not. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { type LinkProbe, linkProbe, probeLink } from "../src/probe/link.ts";
import { checkTransfers } from "./lib/claims/lossy.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { generator, seeds } from "./lib/random.ts";
import { sameLists } from "./lib/reference/compare.ts";
import { type LossyFrame, LossyLink } from "./lib/reference/tcp-lossy.ts";
import { paramsOf, timelineOf } from "./lib/timeline.ts";

const US = 1_024_000_000;

const core = new Core(coreModule("instrumented"));
const naive = new Core(coreModule("naive"));

function configuration(seed: number): LinkProbe {
  const next = generator(seed);
  const one = <T>(...of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const megabits = one(20, 100, 1000, 7000);
  const rttUs = one(50, 300, 1000, 10_000);
  // the port itself may be what is slowest
  const local = one(true, false, false);
  const pathBytes = (megabits * rttUs) / 8;
  return linkProbe({
    // the bottleneck's rate in ticks a byte; 7 Gbit/s has a remainder
    ticksPerByte: local ? null : [8_192_000_000, megabits],
    portTicksPerByte: local ? [8_192_000_000, megabits] : one<[number, number]>([20_480, 1], [8_192_000, 7]),
    rttTicks: rttUs * US,
    mtuBytes: one(576, 1500, 9000),
    loss: one(0, 0, 0.001, 0.01, 0.05, 0.2),
    lossBack: one(0, 0, 0.02, 0.2),
    jitterTicks: one(0, 0, Math.floor(rttUs / 3) * US),
    bufferBytes: Math.floor(pathBytes * one(0.2, 1, 3)) + 5000,
    congestion: one("reno", "cubic"),
    streams: one(1, 1, 2, 5),
    windowBytes: one(null, null, 65_536, 300_001),
    inFlightBytes: one(null, null, null, 100_000),
    bytes: one(null, null, 30_000, 1_000_001),
    durationTicks: BigInt(Math.min(300_000, Math.max(20 * rttUs, (200 * 12_000) / megabits)) * US),
    seed,
  });
}

/** The same with a switch that stops the port: a bottleneck, marks anywhere in its queue, a hop. */
function paused(seed: number): LinkProbe {
  const next = generator(seed + 1000);
  const probe = configuration(seed);
  const frame = probe.mtuBytes + 38;
  const bufferBytes = probe.bufferBytes + 4 * frame;
  const highBytes = 2 * frame + Math.floor(next() * (bufferBytes - 2 * frame));
  return {
    ...probe,
    portTicksPerByte: probe.ticksPerByte === null ? [20_480, 1] : probe.portTicksPerByte,
    ticksPerByte: probe.ticksPerByte ?? probe.portTicksPerByte,
    bufferBytes,
    pause: {
      highBytes,
      lowBytes: Math.floor(next() * (highBytes - frame + 1)),
      // up to 2 km, and no longer than the way
      hopTicks: Math.floor(next() * Math.min(probe.rttTicks / 2, 10 * US)),
      quanta: 16 + Math.floor(next() * 60_000),
    },
  };
}

function compare(probe: LinkProbe): number {
  const result = probeLink(core, probe);
  const until = Math.round(result.elapsedNs * abi.TICKS_PER_NS) - (result.complete ? 1000 : 0);
  const reference = new LossyLink(paramsOf(core).global).run(until);
  let frames = 0;
  for (const side of [0, 1]) {
    const mine: Omit<LossyFrame, "arriveAt">[] = timelineOf(core)
      .filter((e) => e.kind === abi.T_FRAME && e.side === side && e.t <= until)
      .map((e) => ({ side, index: e.which, startAt: e.t, bytes: e.a, acknowledged: e.b, rightEdge: e.c }));
    const theirs = reference
      .filter((frame) => frame.side === side && frame.startAt <= until)
      .map(({ arriveAt: _, ...frame }) => frame);
    frames += sameLists(`frame of side ${side}`, mine, theirs);
  }
  return frames;
}

for (const seed of seeds(9)) {
  test(`link ${seed}`, () => {
    const probe = configuration(seed);
    try {
      assert.ok(compare(probe) > 3);
      assert.equal(probeLink(naive, probe), probeLink(core, probe));
    } catch (error) {
      (error as Error).message +=
        `\n${JSON.stringify(probe, (_, v) => (typeof v === "bigint" ? Number(v) : v))}`;
      throw error;
    }
  });
}

for (const seed of seeds(4)) {
  test(`link ${seed} whose switch pauses the port`, () => {
    const probe = paused(seed);
    assert.ok(compare(probe) > 3);
    assert.equal(probeLink(naive, probe), probeLink(core, probe));
  });
}

test("transfers end when the reference says", checkTransfers);

// encryption and compression are on by default
for (const congestion of ["reno", "cubic"]) {
  for (const more of [[], ["link.streams=3"], ["link.bottleneck=1 Gbit/s", "link.buffer=30 KiB"]]) {
    test(`a migration over a path that loses 1 %, ${congestion} ${more.join(" ")}`, () => {
      const path = [`link.congestion=${congestion}`, "link.loss=0.01", "link.jitter=2 us", ...more];
      const result = migrate({ guest: generated(192, 400_000), content: "full" }, { sets: path });
      assert.is(result.migration.status, "completed");
      assert.is(result.check.pagesDifferent, 0);
      assert.is(result.check.deviceStateEqual, true);
      assert.equal(
        result.check.invariants.filter(({ held }) => !held),
        [],
      );
    });
  }
}

// nothing is lost here: a timeout is 200 ms, which the naive scheduler takes step by step
test("a migration with several connections is the same to the scheduler that steps everything", () => {
  const sets = ["link.congestion=cubic", "link.streams=3", "link.jitter=2 us", "link.windowGrowth=auto"];
  const run = (variant: "lean" | "naive"): string =>
    migrate({ guest: generated(32, 100_000), content: "sized" }, { sets, variant }).fingerprint;
  assert.is(run("naive"), run("lean"));
});

test.run();
