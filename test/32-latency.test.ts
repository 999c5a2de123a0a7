// SPDX-License-Identifier: Apache-2.0
// Latency of one page through two idle cards, stage by stage, to the tick: formulas against the timeline.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { type PageContent, type PageTimes, pageTimes } from "./lib/reference/latency.ts";
import { guestText, type Happening, of, type Run, runText, streamFor } from "./lib/timeline.ts";

const MIXES = { text: "{ text: 100 }", random: "{ random: 100 }", zero: "{ zero: 100 }" } as const;
// messages 100 us apart: nothing else is under way while the page moves
const QUIET = ["internal.dll=none", "source.host.vsock.messageCost=100 us"];

function content(run: Run): PageContent {
  const block = [...streamFor(run.scenario).initial()][0]!;
  const zero = block.contentIds[0] === 0;
  if (run.params.global[abi.G_COMPRESS] === 0 || zero) return { zero, codedBytes: abi.PAGE_BYTES, cycles: 0 };
  const word = run.core.contentWord(block.content(0));
  return {
    zero,
    codedBytes: word & abi.WORD_SIZE_MASK,
    cycles: (word >>> abi.WORD_CYCLES_SHIFT) & abi.WORD_CYCLES_MASK,
  };
}

/** The page's own times, as recorded: device state follows after the guest is suspended. */
function recorded(run: Run): PageTimes {
  const suspendedAt = Number(run.core.logged(abi.L_SUSPENDED));
  const first = (list: Happening[]): number | null => list.find((e) => e.t < suspendedAt)?.t ?? null;
  const stage = (side: number, unit: number, kind?: number): number | null =>
    first(
      of(run, abi.T_STAGE, side).filter(
        (e) => e.which === unit && e.a === 0 && (kind === undefined || e.c === kind),
      ),
    );
  const pages = (kind: number, side: number): number =>
    first(of(run, kind, side).filter((e) => e.which === 1 && e.a > 0))!;
  const batch = of(run, abi.T_STAGE, 0).filter((e) => e.which === abi.U_CONTROL && e.c === abi.F_DESCRIPTORS);
  return {
    descriptorsAt: first(batch)!,
    zeroAt: stage(0, abi.U_ZERO)!,
    compressAt: stage(0, abi.U_COMPRESS),
    recordAt: stage(0, abi.U_CONTROL, abi.F_PAGE_RECORD)!,
    sealAt: stage(0, abi.U_SEAL),
    frameAt: stage(0, abi.U_FRAMER)!,
    appendedAt: pages(abi.T_APPEND, 0),
    arrivedAt: pages(abi.T_ARRIVE, 1),
    receiveAt: stage(1, abi.U_RECEIVE)!,
    receivedRecordAt: stage(1, abi.U_CONTROL, abi.F_PAGE_RECORD)!,
    openAt: stage(1, abi.U_OPEN),
    decompressAt: stage(1, abi.U_UNLZ),
    landedAt: stage(1, abi.U_MEMORY),
  };
}

const CASES: [name: string, mix: keyof typeof MIXES, sets: string[]][] = [
  ["ring on the host, compressed, sealed", "text", []],
  ["ring on the card", "text", ["source.card.dma.ring=card"]],
  ["no compression", "text", ["compress=off"]],
  ["no encryption", "text", ["encrypt=off"]],
  ["neither", "text", ["compress=off", "encrypt=off", "source.card.dma.ring=card"]],
  ["a page that stays raw", "random", []],
  ["a zero page", "zero", []],
  ["a zero page, neither compressed nor sealed", "zero", ["compress=off", "encrypt=off"]],
  [
    "AES-256 at 128 bit",
    "text",
    ["encrypt.cipher=aes-256-gcm", "source.card.crypto.bitsPerCycle=128 bit/cycle"],
  ],
  [
    "AES with rounds that share their hardware at the source, one record at a time at the destination",
    "text",
    [
      ...["bitsPerCycle=128 bit/cycle", "cyclesPerRound=4", "recordGap=9 cycles"].map(
        (set) => `source.card.crypto.${set}`,
      ),
      ...["interleave=record", "egress=admit"].map((set) => `destination.card.crypto.${set}`),
    ],
  ],
  ["clocks at 300 and 700 MHz", "text", ["source.card.clock=300 MHz", "destination.card.clock=700 MHz"]],
  ["reads of 128 B", "text", ["source.card.pcie.mrrs=128", "source.card.dma.readIssue=2 cycles"]],
  [
    "writes of 128 B on Gen1 x1",
    "text",
    ["destination.card.pcie.mps=128", "destination.card.pcie.generation=1", "destination.card.pcie.lanes=1"],
  ],
  [
    "memory of 1 GB/s",
    "text",
    ["source.host.memory.bandwidth=1 GB/s", "destination.host.memory.bandwidth=1 GB/s"],
  ],
  [
    "one slow control core each",
    "text",
    ["source.card.control.clock=90 MHz", "destination.card.control.clock=70 MHz"],
  ],
];

for (const [name, mix, sets] of CASES) {
  test(`latency: ${name}`, () => {
    const text = guestText("4 KiB", { rate: "0 /s", mix: MIXES[mix] });
    const run = runText(text, { sets: [...QUIET, ...sets] });
    assert.is(run.stop, abi.STOP_DONE);
    const handler = of(run, abi.T_STAGE, 0).find(
      (e) => e.which === abi.U_CONTROL && e.c === abi.F_ADDRESSES,
    )!;
    const page = content(run);
    assert.is(page.zero, mix === "zero");
    assert.equal(recorded(run), pageTimes(run.params, page, handler.b));
  });
}

test.run();
