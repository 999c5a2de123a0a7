// SPDX-License-Identifier: Apache-2.0
// A switch that stops the port before its queue is full: headroom, the low mark, repetition and the time that
// the port stands still, each by its formula. Frame by frame: 38-tcp-lossy, against the reference.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, coreModule } from "../src/core.ts";
import { isGood, type Result } from "../src/index.ts";
import { type LinkProbe, type LinkResult, linkProbe, probeLink } from "../src/probe/link.ts";
import { headroomBytes } from "../src/scenario/pause.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";

const NS = 1_024_000;
const FRAME = 9038;
/** 100 Gbit/s, and 1 Gbit/s behind it: ticks a byte. */
const PORT = 81_920;
const SLOW = 8_192_000;
const core = new Core(coreModule());

/** UDP, which nothing else holds back. */
function run(bufferBytes: number, pause: LinkProbe["pause"], own: Partial<LinkProbe> = {}): LinkResult {
  const probe = linkProbe({
    portTicksPerByte: [PORT, 1],
    ticksPerByte: [SLOW, 1],
    rttTicks: 20_000 * NS,
    mtuBytes: 9000,
    bufferBytes,
    pause,
    congestion: "firmware",
    durationTicks: BigInt(4_000_000 * NS),
    ...own,
  });
  return probeLink(core, probe);
}

test("formula: headroom is the rate times two hops and 84 B, and a frame", () => {
  // 12.5 B/ns x (2 x 500 ns + 6.72 ns) = 12,584 B, and 9,038
  assert.is(headroomBytes([PORT, 1], 500 * NS, FRAME, 20), 12_584 + 9038);
  // 7 Gbit/s: 84 B take 96 ns; 0.875 B/ns x (400 + 96) = 434 B
  assert.is(headroomBytes([8_192_000, 7], 200 * NS, 1538, 20), 434 + 1538);
});

for (const hopNs of [0, 5, 500, 1234, 10_000]) {
  for (const mtuBytes of [1500, 9000]) {
    test(`headroom: nothing is dropped, with two frames less some are: ${hopNs} ns, ${mtuBytes} B`, () => {
      const frame = mtuBytes + 38;
      const room = headroomBytes([PORT, 1], hopNs * NS, frame, 20);
      const marks = { lowBytes: frame, hopTicks: hopNs * NS, quanta: 65_535 };
      const highBytes = 3 * frame + 17;
      const enough = run(highBytes + room, { ...marks, highBytes }, { mtuBytes });
      assert.is(enough.droppedFrames, 0);
      assert.ok(enough.pauseFrames > 10);
      // what drains meanwhile is one hundredth of what comes
      const few = Math.max(0, room - 2 * frame - Math.ceil(room / 50));
      const less = run(highBytes + few, { ...marks, highBytes }, { mtuBytes });
      assert.ok(room < 3 * frame || less.droppedFrames > 0, `${less.droppedFrames}`);
      assert.ok(run(highBytes, { ...marks, highBytes }, { mtuBytes }).droppedFrames > 0);
    });
  }
}

// The port sends 1/100 of the time, and of the rest all is a pause.
test("formula: a port of rate R before a path of rate r stands still for 1 - r / R of the time", () => {
  const pause = { highBytes: 200_000, lowBytes: 100_000, hopTicks: 500 * NS, quanta: 65_535 };
  const result = run(300_000, pause, { durationTicks: BigInt(20_000_000 * NS) });
  const share = result.pausedNs / result.elapsedNs;
  // a fill is 200 kB: 1.6 ms of 20
  assert.ok(share > 0.99 - 0.1 && share < 0.99, `${share}`);
  assert.is(result.retransmits, 0);
});

// low = r x (2 hop + 84 B / R + L / R) keeps the path busy; low 0 lets it run dry for that time, each cycle
test("formula: with low 0 the path is dry for two hops, 84 B and a frame in each cycle", () => {
  const hopTicks = 5000 * NS;
  const gapNs = 2 * 5000 + (84 + FRAME) / 12.5;
  const pause = { highBytes: 60_000, hopTicks, quanta: 65_535 };
  // 10 Gbit/s, 0.8 ns a byte: a fill of 200 kB drains before a PAUSE is repeated, after 168 us
  const ticksPerByte: [number, number] = [819_200, 1];
  const all = { ticksPerByte, bytes: 40_000_000, durationTicks: BigInt(2_000_000_000 * NS) };
  const dry = run(300_000, { ...pause, lowBytes: 0 }, all);
  const wet = run(300_000, { ...pause, lowBytes: Math.ceil((gapNs + 1) / 0.8) }, all);
  // the first frame, the way there, and the last answer with the firmware's 100 us
  const busyNs = wet.wireBytes * 0.8;
  assert.ok(wet.elapsedNs >= busyNs && wet.elapsedNs < busyNs + 130_000, `${wet.elapsedNs - busyNs}`);
  assert.is(dry.wireBytes, wet.wireBytes);
  // a PAUSE and one of no time a cycle; the last cycle ends nothing
  const cycles = Math.floor(dry.pauseFrames / 2);
  assert.ok(cycles > 100);
  const late = dry.elapsedNs - wet.elapsedNs;
  assert.ok(Math.abs(late - cycles * gapNs) <= 2 * gapNs, `${late} against ${cycles * gapNs}`);
});

test("formula: a pause is told of again every half of its PAUSE, and of its end", () => {
  const pause = { highBytes: 200_000, lowBytes: 100_000, hopTicks: 500 * NS };
  const once = run(300_000, { ...pause, quanta: 65_535 });
  const often = run(300_000, { ...pause, quanta: 1000 });
  // what is told changes nothing else
  assert.equal({ ...often, pauseFrames: 0 }, { ...once, pauseFrames: 0 });
  // quanta of 64 B: 2560 ns and 167,769.6 ns at 12.5 B/ns
  const more = once.pausedNs * (1 / 2560 - 1 / 167_769.6);
  // a pause ends between two of them, and begins with the rest of a frame, 723 ns at most
  const pauses = once.pauseFrames / 2;
  assert.ok(more > 50 * pauses);
  const off = often.pauseFrames - once.pauseFrames - more;
  assert.ok(Math.abs(off) <= 2 * pauses, `${off} of ${more}, ${pauses} pauses`);
});

const PLAIN = { guest: generated(600, 0), compress: "off", encrypt: "off", content: "sized" };
const SLOWER = { bottleneck: "10 Gbit/s", buffer: "64 KiB" };

function good(scenario: object, variant: "lean" | "naive" | "instrumented" = "lean"): Result {
  const result = migrate(scenario, { variant });
  assert.ok(isGood(result), JSON.stringify(result.check));
  return result;
}

for (const own of [{ transport: "udp" }, { congestion: "cubic" }, { congestion: "reno", streams: 3 }]) {
  test(`a migration whose switch pauses the port: ${JSON.stringify(own)}`, () => {
    const paused = { ...PLAIN, link: { ...SLOWER, ...own, pause: "on" } };
    const result = good(paused);
    const without = good({ ...PLAIN, link: { ...SLOWER, ...own } });
    assert.ok(stat(result, "source.link.pauses") > 0);
    assert.is(stat(without, "source.link.pauses"), 0);
    // each byte is sent once: nothing is dropped
    const payload = (r: Result): number => stat(r, "source.link.payloadBytes.pages");
    assert.is(payload(result), stat(result, "source.link.recordBytes.pages"));
    const { busyTicks, starvedTicks, blockedTicks, waitingTicks } = result.units["source.link.tx"]!;
    const waits = Object.values(waitingTicks).map(BigInt);
    const sum = [busyTicks, starvedTicks, blockedTicks].map(BigInt).concat(waits);
    assert.is(
      sum.reduce((total, ticks) => total + ticks, 0n),
      BigInt(result.elapsedTicks),
    );
    assert.ok(BigInt(waitingTicks.pause!) > 0n);
    assert.is(good(paused, "instrumented").fingerprint, result.fingerprint);
  });
}

test("the scheduler that steps everything agrees", () => {
  const scenario = { ...PLAIN, guest: generated(80, 0), link: { ...SLOWER, transport: "udp", pause: "on" } };
  const lean = good(scenario);
  assert.ok(stat(lean, "source.link.pauses") > 0);
  assert.is(good(scenario, "naive").fingerprint, lean.fingerprint);
});

test("pause: on is its defaults written out", () => {
  const link = { ...SLOWER, transport: "udp" };
  // 22 KB of headroom, less than 64 KiB by 43,914 B
  const high = 64 * 1024 - headroomBytes([PORT, 1], 500 * NS, FRAME, 20);
  const written = { hop: "500 ns", high: `${high} B`, low: `${Math.floor(high / 2)} B`, quanta: 65_535 };
  const fingerprint = (pause: unknown): string => good({ ...PLAIN, link: { ...link, pause } }).fingerprint;
  assert.is(fingerprint("on"), fingerprint(written));
  assert.is.not(fingerprint("on"), fingerprint("off"));
});

test.run();
