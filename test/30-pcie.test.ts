// SPDX-License-Identifier: Apache-2.0
// The PCIe link against its reference model: all packets of both wires, to the tick (model.md sections
// 2-3).
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { generated, migrate } from "./lib/migrate.ts";
import { checkPcie, packetsOf } from "./lib/reference/compare.ts";
import { completionPiece, type Packet, tlpBytes } from "./lib/reference/packets.ts";
import { guestText, of, type Run, runText } from "./lib/timeline.ts";

const SMALL = guestText("1 MiB");

/** Runs, compares both sides, and says how much was compared. */
function compared(sets: string[], text = SMALL): { run: Run; count: number } {
  const run = runText(text, { sets });
  assert.is(run.stop, abi.STOP_DONE);
  return { run, count: checkPcie(run, 0).compared + checkPcie(run, 1).compared };
}

test("formula: packets on the wire", () => {
  // write: 24 + 4 ceil(n/4); read: 24; completion: 20 + 4 ceil(n/4)
  const p: number[] = [];
  p[abi.S_PCIE_REQUEST_BYTES] = 24;
  p[abi.S_PCIE_COMPLETION_BYTES] = 20;
  assert.equal([tlpBytes(p, "write", 256), tlpBytes(p, "write", 5), tlpBytes(p, "read", 512)], [280, 32, 24]);
  assert.equal([tlpBytes(p, "completion", 256), tlpBytes(p, "completion", 1)], [276, 24]);
  p[abi.S_PCIE_UNPADDED] = 1;
  assert.equal([tlpBytes(p, "write", 5), tlpBytes(p, "completion", 1)], [29, 21]);
});

test("formula: completions are cut at RCB up to combineAbove, at MPS above", () => {
  const p: number[] = [];
  p[abi.S_PCIE_RCB] = 64;
  p[abi.S_PCIE_MPS] = 256;
  p[abi.S_PCIE_COMBINE_ABOVE] = 256;
  // 200 bytes at 32: 32 up to 64, then 64, 64 and 200 - 160 = 40
  assert.equal(
    [0, 32, 96, 160].map((sent) => completionPiece(p, 32, 200, sent)),
    [32, 64, 64, 40],
  );
  // 512 bytes at 128: 128 up to 256, then 256, then 512 - 384 = 128
  assert.equal(
    [0, 128, 384].map((sent) => completionPiece(p, 128, 512, sent)),
    [128, 256, 128],
  );
});

const endless = [
  "source.host.pcie.nphCredits=0",
  "destination.host.pcie.phCredits=0",
  "destination.host.pcie.pdCredits=0",
];
const slow = ["source.host.memory.bandwidth=1 Gbit/s", "destination.host.memory.bandwidth=1 Gbit/s"];

// one row a property of the link: each makes another path of the model decide
const LINKS: [name: string, sets: string[]][] = [
  ["Gen3 x8, explicit data link layer, rings on the host", []],
  ["no data link layer", ["internal.dll=none"]],
  [
    "rings on the card, pages of 512 B writes",
    ["source.card.dma.ring=card", "destination.card.pcie.mps=512"],
  ],
  ["Gen1 x1", ["source.card.pcie.generation=1", "source.card.pcie.lanes=1"]],
  ["Gen5 x16 on both sides", ["source.host=gen5-host", "destination.host=gen5-host"]],
  ["pages over VSOCK", ["internal.pages=vsock"]],
  ["one NPH credit", ["source.host.pcie.nphCredits=1"]],
  ["one PH credit", ["destination.host.pcie.phCredits=1"]],
  ["PD credits for one write", ["destination.host.pcie.pdCredits=16"]],
  [
    "smallest replay buffer",
    ["source.card.pcie.replayBuffer=4 KiB", "destination.card.pcie.replayBuffer=4 KiB"],
  ],
  ["credits without a limit", endless],
  ["slow memory", ["source.host.memory.bandwidth=1 GB/s", "destination.host.memory.bandwidth=1 GB/s"]],
  ["RCB 128, everything cut at RCB", ["source.host.pcie.rcb=128", "source.host.pcie.combineAbove=4096"]],
  ["card at 300 MHz", ["source.card.clock=300 MHz", "destination.card.clock=300 MHz"]],
];

for (const [name, sets] of LINKS) {
  test(`whole run: ${name}`, () => {
    const { count } = compared(sets);
    assert.ok(count > 3000, `only ${count} events compared`);
  });
}

/** A shorter run for a gate: what is asked is how far a level rises. */
function gateRun(sets: string[]): Run {
  const run = runText(guestText("256 KiB"), { sets });
  assert.is(run.stop, abi.STOP_DONE);
  return run;
}

/** Level of something over time: highest value of a running sum, changes ordered by time, releases first. */
function highest(changes: [at: number, by: number][]): number {
  let level = 0;
  let top = 0;
  for (const [, by] of changes.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    level += by;
    top = Math.max(top, level);
  }
  return top;
}

/** When the effect of a DLLP reaches the transmitter: 8 bytes and a flight after its start. */
function effect(run: Run, side: number, at: number): number {
  const p = run.params.sides[side]!;
  return at + 8 * p[abi.S_PCIE_TICKS_PER_BYTE]! + p[abi.S_PCIE_FLIGHT]!;
}

/** Greatest amount out at a time: taken by TLPs going up, returned by DLLPs of one kind going down. */
function taken(
  run: Run,
  side: number,
  what: number,
  need: (tlp: Packet) => number,
  back: (d: Packet) => number,
) {
  const changes: [number, number][] = [];
  for (const tlp of packetsOf(run, side, 0)) {
    if (tlp.kind === abi.T_TLP && need(tlp) > 0) changes.push([tlp.startAt, need(tlp)]);
  }
  for (const d of packetsOf(run, side, 1)) {
    if (d.kind === abi.T_DLLP && d.what === what) changes.push([effect(run, side, d.startAt), -back(d)]);
  }
  return highest(changes);
}

const isRead = (tlp: Packet): boolean => tlp.port >= 4 && tlp.port <= 7;

// gates: with n of something the level reaches n, never n + 1; bigger buffers elsewhere keep the others open
for (const n of [1, 2, 3, 9]) {
  test(`gate: ${n} NPH credits are all used, and no more`, () => {
    const run = gateRun([`source.host.pcie.nphCredits=${n}`]);
    assert.is(
      taken(
        run,
        0,
        2,
        (t) => Number(isRead(t)),
        (d) => d.amount,
      ),
      n,
    );
  });
  test(`gate: ${n} PH credits are all used, and no more`, () => {
    const run = gateRun([`destination.host.pcie.phCredits=${n}`]);
    assert.is(
      taken(
        run,
        1,
        1,
        (t) => Number(!isRead(t)),
        (d) => d.amount,
      ),
      n,
    );
  });
}

for (const [credits, writes] of [
  [16, 1],
  [31, 1],
  [32, 2],
  [47, 2],
  [48, 3],
] as const) {
  test(`gate: ${credits} PD credits admit ${writes} writes of 256 B`, () => {
    // a write of 256 B takes 256/16 = 16
    const run = gateRun([`destination.host.pcie.pdCredits=${credits}`]);
    const ofPages = (t: Packet): number => (t.port === 0 ? 1 : 0);
    assert.is(
      taken(run, 1, 1, ofPages, (d) => Math.floor(d.units / 16)),
      writes,
    );
  });
}

test("gate: the replay buffer of 4096 B holds 14 writes of 280 B, 14 x 280 = 3920", () => {
  const run = gateRun(["destination.card.pcie.replayBuffer=4 KiB", "destination.host.pcie.flight=2 us"]);
  assert.is(
    taken(
      run,
      1,
      0,
      (t) => t.what,
      (d) => d.amount,
    ),
    3920,
  );
});

/** Data reads outstanding at most: from the put to the first card clock edge at or after the answer. */
function readsOut(run: Run): number {
  const clock = run.params.sides[0][abi.S_CARD_NUM]! / run.params.sides[0][abi.S_CARD_DEN]!;
  const changes: [number, number][] = [];
  for (const e of of(run, abi.T_PUT, 0)) if (e.which === 4) changes.push([e.c, 1]);
  for (const e of of(run, abi.T_ANSWER, 0)) {
    if (e.which === abi.R_DATA) changes.push([Math.ceil(e.t / clock) * clock, -1]);
  }
  return highest(changes);
}

for (const tags of [9, 10, 16, 17, 40]) {
  test(`gate: with ${tags} tags, of which 4 + 4 are kept, ${tags - 8} data reads are outstanding`, () => {
    // descriptors: prefetchBatches 4 x ceil(32 x 16 B / MRRS 512 B) = 4
    assert.is(readsOut(gateRun([`source.card.pcie.tags=${tags}`])), tags - 8);
  });
}

// six of eight whole parts for data: 6 x floor(8879/8) = 6654, less than 13 x 512 = 6656; 6 x 1110 = 6660
for (const [bytes, reads] of [
  [8192, 12],
  [8879, 12],
  [8880, 13],
] as const) {
  test(`gate: a completion buffer of ${bytes} B holds ${reads} data reads of 512 B`, () => {
    assert.is(
      readsOut(
        gateRun([`source.card.pcie.completionBuffer=${bytes} B`, "source.card.dma.prefetchBatches=1"]),
      ),
      reads,
    );
  });
}

// 512/64 = 8 headers a read: 6 x floor(79/8) = 54 are 6 reads, 6 x 10 = 60 are 7
for (const [headers, reads] of [
  [64, 6],
  [79, 6],
  [80, 7],
] as const) {
  test(`gate: ${headers} completion headers are enough for ${reads} data reads`, () => {
    assert.is(
      readsOut(
        gateRun([`source.card.pcie.completionHeaders=${headers}`, "source.card.dma.prefetchBatches=1"]),
      ),
      reads,
    );
  });
}

test("order: writes go in the order in which they were put, over all ports", () => {
  const { run } = compared(["internal.pages=vsock"]);
  for (const side of [0, 1]) {
    const isWrite = (port: number): boolean => port < 4;
    const put = of(run, abi.T_PUT, side).filter((e) => isWrite(e.which));
    const gone = of(run, abi.T_TLP, side).filter((e) => isWrite(e.which));
    // a write longer than MPS goes in pieces with nothing between them
    let next = 0;
    for (const { which, a: bytes } of put) {
      let sent = 0;
      while (sent < bytes) {
        const piece = gone[next++];
        assert.is(piece?.which, which);
        sent += Number(piece?.b);
      }
      assert.is(sent, bytes);
    }
    assert.is(next, gone.length);
  }
});

test("order: a read goes after every write that was put before it", () => {
  const { run } = compared([]);
  const ups = of(run, abi.T_PUT, 0).filter((e) => e.which < 8);
  const startsOf = (port: number): number[] =>
    of(run, abi.T_TLP, 0)
      .filter((e) => e.which === port)
      .map((e) => e.t);
  const starts = [0, 1, 2, 3, 4, 5, 6, 7].map(startsOf);
  let lastWrite = -1;
  let reads = 0;
  for (const put of ups) {
    const start = starts[put.which]!.shift()!;
    if (put.which < 4) {
      assert.ok(start > lastWrite);
      lastWrite = start;
    } else {
      assert.ok(start > lastWrite, "a read passed a write");
      reads++;
    }
  }
  assert.ok(reads > 1000);
});

// every ring of the link goes round several times: 8 MiB are 32,768 writes of 256 B and 16,384 reads of 512 B
const LONG: [name: string, sets: string[]][] = [
  ["credits that come back by time alone", ["internal.dll=none", ...endless]],
  ["credits without a limit, slow memory", [...endless, ...slow]],
  [
    "all the credits that there can be, slow memory",
    [
      ...slow,
      "source.host.pcie.nphCredits=2047",
      "destination.host.pcie.phCredits=2047",
      "destination.host.pcie.pdCredits=32767",
    ],
  ],
];

for (const [name, sets] of LONG) {
  test(`8 MiB: ${name}`, () => {
    const { migration } = migrate(
      {
        guest: generated(2048, 1000),
        migration: { downtimeLimit: "1 ms", maxRounds: 3, onTimeout: "force" },
      },
      { sets: ["content=sized", ...sets] },
    );
    assert.is(migration.status, "completed");
  });
}

test.run();
