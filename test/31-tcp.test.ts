// SPDX-License-Identifier: Apache-2.0
// Both data links against their reference model: every frame, to the tick (docs/model.md section 6).
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { framesUnderWay, frameBytes as harnessFrameBytes } from "../src/params.ts";
import { isGood } from "../src/result/make.ts";
import { generated, inputOf, migrate } from "./lib/migrate.ts";
import { checkTcp } from "./lib/reference/compare.ts";
import { frameBytes } from "./lib/reference/tcp.ts";
import { guestText, of, runText } from "./lib/timeline.ts";

const SMALL = guestText("1 MiB", { deviceState: "256 KiB" });

/** Bytes of an acknowledgement, of a full frame at MTU 9000 and of one at MTU 1500 under `sets`. */
function framesWith(sets: string[]): number[] {
  const { global } = runText(guestText("16 KiB"), { sets }).params;
  const { scenario } = inputOf({ guest: generated(4, 0) }, { sets });
  const frames = [0, 8948, 1448].map((n) => frameBytes(global, n));
  assert.equal(
    [0, 8948, 1448].map((n) => harnessFrameBytes(scenario.link, n)),
    frames,
  );
  return frames;
}

test("formula: frames on the wire", () => {
  // 8 + max(64, 14 + 52 + n + 4) + 12: an acknowledgement 90, 8948 payload bytes 9038, 1448 1538
  assert.equal(framesWith([]), [90, 9038, 1538]);
  assert.equal(framesWith(["link.preamble=1 B"]), [83, 9031, 1531]);
  assert.equal(framesWith(["link.gap=5 B"]), [83, 9031, 1531]);
  assert.equal(framesWith(["link.header=18 B"]), [94, 9042, 1542]);
  assert.equal(framesWith(["link.fcs=0 B"]), [86, 9034, 1534]);
  assert.equal(framesWith(["link.minFrame=256 B"]), [276, 9038, 1538]);
});

test("the handshake is two frames of 60 bytes of IP, with what the link puts around them", () => {
  const setupNs = (...sets: string[]): number => {
    const { core } = runText(SMALL, { sets: ["link.rate=1 Gbit/s", "internal.dll=none", ...sets] });
    return Number(core.logged(abi.L_SETUP_DONE)) / abi.TICKS_PER_NS;
  };
  // 8 ns a byte, two frames; 98 bytes, 108, and 8 + 100 + 12
  const ethernet = setupNs();
  assert.is(setupNs("link.header=24 B") - ethernet, 2 * 8 * 10);
  assert.is(setupNs("link.minFrame=100 B") - ethernet, 2 * 8 * 22);
});

const LINKS: [name: string, sets: string[], framesMin: number][] = [
  ["100 Gbit/s, MTU 9000", [], 80],
  ["MTU 1500, 1 Gbit/s", ["link.mtu=1500", "link.rate=1 Gbit/s"], 400],
  ["window 64 KiB over 200 us", ["link.window=64 KiB", "link.rtt=200 us"], 50],
  ["a rate that is no whole number of ticks", ["link.rate=7 Gbit/s", "link.mtu=1499"], 400],
  ["rate cap 24 MiB/s", ["link.rateCap=24 MiB/s"], 60],
  ["weighted 1 : 3", ["link.arbitration=weighted", "link.weights.pages=3", "link.rate=1 Gbit/s"], 60],
  ["weighted 5 : 1", ["link.arbitration=weighted", "link.weights.state=5", "link.rate=1 Gbit/s"], 60],
  ["no propagation", ["link.rtt=2 ns", "link.rate=10 Gbit/s"], 60],
  ["other frames", ["link.preamble=3 B", "link.gap=40 B", "link.header=18 B", "link.minFrame=256 B"], 80],
  ["no framing", ["link.preamble=0", "link.gap=0", "link.header=0", "link.fcs=0", "link.minFrame=0"], 80],
  ["slow receiver", ["destination.card.control.cores=1", "destination.card.control.clock=50 MHz"], 60],
];

for (const [name, sets, framesMin] of LINKS) {
  test(`whole run: ${name}`, () => {
    const run = runText(SMALL, { sets });
    assert.is(run.stop, abi.STOP_DONE);
    const count = checkTcp(run);
    assert.ok(count >= framesMin, `only ${count} frames compared`);
  });
}

// What arrives waits to be taken out, and the window opens and closes. Acknowledgements wait as long as Linux
// has them wait, so that it is window updates that the sender goes on by.
const BEHIND = ["destination.card.pcie.generation=1", "destination.card.pcie.lanes=1"];
const DELACK_TICKS = 40_000_000 * abi.TICKS_PER_NS;
const WINDOWS: [window: string, mtu: number, framesMin: number][] = [
  ["64 KiB", 9000, 600],
  ["64 KiB", 1500, 3000],
  ["70000 B", 9000, 600],
  ["100000 B", 1500, 3000],
];

for (const [window, mtu, framesMin] of WINDOWS) {
  test(`the receiver waits for its host's PCIe: window ${window}, MTU ${mtu}`, () => {
    const writes = { rate: "4000 /s", workingSet: "1 MiB", mix: "{ zero: 0, text: 60, random: 40 }" };
    const text = guestText("4 MiB", { deviceState: "2 MiB", ...writes });
    const run = runText(text, {
      sets: [...BEHIND, `link.window=${window}`, `link.mtu=${mtu}`, "content=sized"],
      globals: [[abi.G_NET_DELACK, DELACK_TICKS]],
    });
    assert.is(run.stop, abi.STOP_DONE);
    const count = checkTcp(run);
    assert.ok(count >= framesMin, `only ${count} frames compared`);
  });
}

// pages of the last round and device state together: both links want the wire
const BOTH = guestText("1 MiB", { deviceState: "256 KiB", rate: "1000000 /s", workingSet: "1 MiB" });
const BOTH_LINK = ["link.rate=1 Gbit/s", "link.mtu=1500", "compress=off"];
// bytes count from the beginning: pages are 1 MiB ahead, only a small weight keeps device state from the wire
const WEIGHTS: [state: number, pages: number][] = [
  [1, 20],
  [1, 12],
  [3, 50],
];

for (const [state, pages] of WEIGHTS) {
  test(`both links at once, weighted ${state} : ${pages}`, () => {
    const weights = [`link.weights.state=${state}`, `link.weights.pages=${pages}`];
    const run = runText(BOTH, { sets: ["link.arbitration=weighted", ...BOTH_LINK, ...weights] });
    assert.ok(checkTcp(run) > 200);
    const links = of(run, abi.T_FRAME, 0).map((e) => e.which);
    const turns = links.filter((link, i) => i > 0 && link !== links[i - 1]).length;
    assert.ok(turns > 20, `only ${turns} changes between the links`);
  });
}

test("both links at once, strict", () => {
  assert.ok(checkTcp(runText(BOTH, { sets: BOTH_LINK })) > 200);
});

// Linux 6.18 at MTU 9000: 7 segments, for the window of a SYN is not scaled; at MTU 1500 its ten
const FLIGHTS: [mtu: number, most: number][] = [
  [1500, 10 * 1448],
  [9000, 65535],
];

for (const [mtu, most] of FLIGHTS) {
  test(`the first flight at MTU ${mtu} is as much as fits ${most} bytes`, () => {
    const sets = [`link.mtu=${mtu}`, "link.rtt=4 ms", "link.rate=1 Gbit/s", "compress=off", "encrypt=off"];
    const run = runText(guestText("1 MiB", { mix: "{ zero: 0, text: 0, random: 100 }" }), { sets });
    const frames = of(run, abi.T_FRAME, 0).filter((e) => e.which === 1 && e.a > 0);
    const answered = of(run, abi.T_ARRIVE, 0).find((e) => e.which === 1 && e.b > 0)!.t;
    const bytes = frames.filter((e) => e.t < answered).reduce((sum, e) => sum + e.a, 0);
    // what is left is less than a segment, and does not go
    assert.ok(bytes <= most && bytes > most - (mtu - 52), `${bytes} bytes`);
    checkTcp(run);
  });
}

test("a receiver that lets the window close: what is left of it goes when nothing is in flight", () => {
  const slow = ["destination.card.control.cores=1", "destination.card.control.clock=5 MHz"];
  const run = runText(SMALL, {
    sets: ["link.window=64 KiB", "destination.card.dma.stagingSram=128 KiB", ...slow],
  });
  assert.ok(checkTcp(run) > 60);
});

test("no frame is ever beyond the window, nor more than the window in flight", () => {
  const run = runText(SMALL, { sets: ["link.window=64 KiB", "link.rtt=200 us"] });
  for (const link of [0, 1]) {
    let sent = 0;
    let acknowledged = 0;
    let most = 0;
    const events = run.events.filter((e) => e.which === link).sort((x, y) => x.t - y.t);
    for (const e of events) {
      if (e.kind === abi.T_ARRIVE && e.side === 0) acknowledged = e.b;
      if (e.kind === abi.T_FRAME && e.side === 0) {
        sent += e.a;
        most = Math.max(most, sent - acknowledged);
      }
    }
    assert.ok(most <= 65536, `${most} bytes in flight on link ${link}`);
    // pages fill it but for less than a segment
    if (link === 1) assert.ok(most > 65536 - 8948, `only ${most} bytes in flight on link ${link}`);
  }
});

// 128 MiB in segments of 524 bytes, all of them under way at once
const MANY_FRAMES = ["link.rtt=200 ms", "link.window=1 GiB", "link.mtu=576", "content=sized", "compress=off"];

test("a window of 1 GiB over 200 ms: the ring of arrivals holds the frames under way", () => {
  const result = migrate({ guest: generated(32768, 0) }, { sets: MANY_FRAMES });
  assert.ok(isGood(result));
  assert.ok(result.link.payloadBytes > 128 * 2 ** 20);
});

test("frames under way at most: by the wire, or by windows and records", () => {
  const most = (sets: string[]): number => {
    const { scenario } = inputOf({ guest: generated(16, 0) }, { sets });
    return framesUnderWay(scenario, Math.floor(scenario.link.rttTicks / 2));
  };
  // 10 us + 10 us at 12.5 bytes/ns in frames of 90 bytes: 250000 / 90 = 2777.8
  assert.is(most(["link.rtt=20 us"]), 2778 + 64);
  // A: 65536 + 1024 bytes in 8 segments and 4160 records; B: 16 MiB / 8948 = 1874.97 and 65536 records
  const [state, pages] = [8 + 4160, 1875 + 65536];
  assert.is(most(["link.rtt=200 ms"]), state + pages + 2 * Math.ceil(200 / 40) + 64);
});

test("every byte that is sent arrives, once and in order", () => {
  const run = runText(SMALL);
  for (const link of [0, 1]) {
    const payload = (kind: number, side: number): number[] =>
      of(run, kind, side)
        .filter((e) => e.which === link)
        .map((e) => e.a);
    assert.equal(payload(abi.T_ARRIVE, 1), payload(abi.T_FRAME, 0));
    assert.equal(payload(abi.T_ARRIVE, 0), payload(abi.T_FRAME, 1));
  }
});

test.run();
