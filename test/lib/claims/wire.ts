// SPDX-License-Identifier: Apache-2.0
/**
 * A migration of a silent guest, counted by hand from docs/model.md: how many packets of which size must
 * be on each wire, and for how long each engine must have been busy with them.
 */
import * as abi from "../../../assembly/abi.ts";
import { frameBytes, segmentBytes } from "../../../src/params.ts";
import { bucketEdge } from "../../../src/result/stats.ts";
import { encodeLz4Hardware } from "../reference/lz4-hardware.ts";
import { completionPiece } from "../reference/packets.ts";
import { guestText, type Run, runText } from "../timeline.ts";
import { accountTicks, VSOCK_HEADER_BYTES } from "./chain.ts";
import { machineOf } from "./encoder.ts";
import { claim, ended, same } from "./expect.ts";

/** A list of so many addresses ends in a read that is cut at RCB. */
const PAGES = 24;
const STATE_BYTES = 65_536;
const MESSAGE_CHUNK_BYTES = abi.MESSAGE_BYTES_MAX - abi.PAGE_BYTES;

/** What crosses the PCIe link of one side. */
interface Traffic {
  /** Data bytes of each write up, read and doorbell. */
  writes: number[];
  reads: number[];
  doorbells: number;
}

/** `total` bytes in pieces of at most `most`. */
function pieces(total: number, most: number): number[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, i) => Math.min(most, total - i * most));
}

const deviceMessages = (): number[] => pieces(STATE_BYTES, MESSAGE_CHUNK_BYTES);

function toCard(traffic: Traffic, p: readonly number[], payload: number): void {
  traffic.doorbells++;
  traffic.reads.push(8, 16, ...pieces(VSOCK_HEADER_BYTES + payload, p[abi.S_PCIE_MRRS]!));
  traffic.writes.push(8, 4);
}

function toHost(traffic: Traffic, p: readonly number[], payload: number): void {
  traffic.reads.push(8, 16);
  traffic.writes.push(...pieces(VSOCK_HEADER_BYTES + payload, p[abi.S_PCIE_MPS]!), 8, 4, 4);
}

function sourceTraffic(run: Run, addressBytes: number): Traffic {
  const p = run.params.sides[0];
  const traffic: Traffic = { writes: [], reads: [], doorbells: 0 };
  for (const n of [0, addressBytes, 16, 16, ...deviceMessages()]) toCard(traffic, p, n);
  for (const n of [16, 32, 32]) toHost(traffic, p, n);
  for (let i = 0; i < PAGES; i++) {
    traffic.writes.push(p[abi.S_DESC_BYTES]!);
    traffic.reads.push(p[abi.S_DESC_BYTES]!, ...pieces(abi.PAGE_BYTES, p[abi.S_PCIE_MRRS]!));
  }
  return traffic;
}

function destinationTraffic(run: Run, contents: number): Traffic {
  const p = run.params.sides[1];
  const traffic: Traffic = { writes: [], reads: [], doorbells: 0 };
  for (const n of [...deviceMessages(), 16]) toHost(traffic, p, n);
  for (let i = 0; i < contents; i++) traffic.writes.push(...pieces(abi.PAGE_BYTES, p[abi.S_PCIE_MPS]!));
  return traffic;
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const write = (n: number): number => 24 + 4 * Math.ceil(n / 4);

/** Compares packets, their bytes and (without a data link layer) the time the wires were busy. */
function checkLink(run: Run, side: 0 | 1, { writes, reads, doorbells }: Traffic): void {
  const { core } = run;
  const p = run.params.sides[side];
  const completions = reads.flatMap((n) => {
    const cut: number[] = [];
    for (let sent = 0; sent < n; sent += cut.at(-1)!) cut.push(completionPiece(p, 0, n, sent));
    return cut;
  });
  const name = side === 0 ? "source" : "destination";
  const counted = (what: string, index: number, expected: number): void =>
    same(`wire bytes: ${name} ${what}`, core.counter(side, index), expected);
  const up = sum(writes.map(write)) + 24 * reads.length;
  const down = 28 * doorbells + sum(completions.map((n) => 20 + 4 * Math.ceil(n / 4)));
  counted("TLPs up", abi.C_UP_TLPS, writes.length + reads.length);
  counted("bytes up", abi.C_UP_TLP_BYTES, up);
  counted("data up", abi.C_UP_DATA_BYTES, sum(writes));
  counted("TLPs down", abi.C_DOWN_TLPS, doorbells + completions.length);
  counted("bytes down", abi.C_DOWN_TLP_BYTES, down);
  counted("data down", abi.C_DOWN_DATA_BYTES, 4 * doorbells + sum(completions));
  const service = (num: number, den: number) => (n: number) => Math.ceil((n * p[num]!) / p[den]!);
  const [readTicks, writeTicks] = [
    reads.map(service(abi.S_MEM_READ_NUM, abi.S_MEM_READ_DEN)),
    writes.map(service(abi.S_MEM_WRITE_NUM, abi.S_MEM_WRITE_DEN)),
  ];
  same(`busy: ${name} memory, reads`, accountTicks(core, side, abi.A_MEMORY_READ, abi.BUSY), sum(readTicks));
  same(
    `busy: ${name} memory, writes`,
    accountTicks(core, side, abi.A_MEMORY_WRITE, abi.BUSY),
    sum(writeTicks),
  );
  if (p[abi.S_PCIE_DLL] !== abi.DLL_NONE) {
    checkLayer(run, side, doorbells);
    return;
  }
  const perByte = p[abi.S_PCIE_TICKS_PER_BYTE]!;
  same(`busy: ${name} PCIe up`, accountTicks(core, side, abi.A_UP, abi.BUSY), up * perByte);
  same(`busy: ${name} PCIe down`, accountTicks(core, side, abi.A_DOWN, abi.BUSY), down * perByte);
}

/** DLLPs of one kind are `limit` apart at least; an SKP is due each period and finds a busy wire busy. */
function checkLayer(run: Run, side: 0 | 1, doorbells: number): void {
  const { core } = run;
  const p = run.params.sides[side];
  const elapsed = Number(core.logged(abi.L_BOOKS));
  const acks = Math.floor(elapsed / p[abi.S_PCIE_LIMIT]!) + 1;
  const up = core.counter(side, abi.C_UP_DLLP_BYTES);
  claim("DLLP limit: up", up <= 8 * (acks + doorbells), up, `at most ${8 * (acks + doorbells)} B`);
  const down = core.counter(side, abi.C_DOWN_DLLP_BYTES);
  claim("DLLP limit: down", down <= 8 * 3 * acks, down, `at most ${24 * acks} B`);
  if (side === 1) return;
  const busy = Number(accountTicks(core, side, abi.A_DOWN, abi.BUSY));
  const due = busy / p[abi.S_PCIE_SKP_PERIOD]!;
  const sets = core.counter(side, abi.C_DOWN_SKP);
  claim("SKP in a busy wire", sets >= 0.5 * due && sets <= 2 * due + 1, sets, `about ${due}`);
}

/** What the cards must have made of the contents. */
interface Work {
  /** Payload of each record of a page or control record, and of device state. */
  pages: number[];
  state: number[];
  lzCycles: number;
  zero: number;
}

function workOf(run: Run): Work {
  const { core } = run;
  const machine = machineOf(run.params.sides[0]);
  const chunks = (name: string, bytes: number): Uint8Array[] =>
    pieces(bytes, abi.PAGE_BYTES).map((n, i) => {
      const at = core.address(name) + i * abi.PAGE_BYTES;
      return core.u8.slice(at, at + n);
    });
  const work: Work = { pages: [0, 0], state: [], lzCycles: 0, zero: 0 };
  const encode = (body: Uint8Array): number => {
    const { block, cycles } = encodeLz4Hardware(body, machine);
    work.lzCycles += cycles + run.params.sides[0][abi.S_LZ_SETUP]!;
    return block?.length ?? body.length;
  };
  for (const page of chunks("sourceImageAt", PAGES * abi.PAGE_BYTES)) {
    const zero = page.every((byte) => byte === 0);
    work.zero += zero ? 1 : 0;
    work.pages.push(zero ? 0 : encode(page));
  }
  work.state.push(...chunks("deviceState", STATE_BYTES).map(encode));
  return work;
}

/** What frames have besides their payload: 52 bytes of IPv4 and TCP, Ethernet's; pure ACKs are padded too. */
function framing({ core, params }: Run, side: number): number {
  const [outside, framed, least] = [abi.G_NET_OUTSIDE, abi.G_NET_FRAMING, abi.G_NET_FRAME_MIN].map(
    (index) => params.global[index]!,
  ) as [number, number, number];
  const padding = Math.max(0, least - framed - 52) * core.counter(side, abi.C_NET_ACKS);
  return (outside + framed + 52) * core.counter(side, abi.C_NET_FRAMES) + padding;
}

/** Compares records, frames and the engines' busy times. */
function checkCards(run: Run, { pages, state, lzCycles, zero }: Work): void {
  const { core } = run;
  const p = run.params.sides[0];
  const counted = (what: string, index: number, expected: number, side = 0): void =>
    same(`wire bytes: ${what}`, core.counter(side, index), expected);
  const record = (n: number): number => 32 + n;
  counted("records of pages", abi.C_RECORD_BYTES_B, sum(pages.map(record)));
  counted("records of state", abi.C_RECORD_BYTES_A, sum(state.map(record)));
  counted("TCP payload of pages", abi.C_NET_PAYLOAD_B, sum(pages.map(record)));
  counted("TCP payload of state", abi.C_NET_PAYLOAD_A, sum(state.map(record)));
  const wire = sum([...pages, ...state].map(record)) + framing(run, 0);
  counted("Ethernet", abi.C_NET_WIRE_BYTES, wire);
  const back = core.counter(1, abi.C_NET_PAYLOAD_B) + framing(run, 1);
  counted("Ethernet, the way back", abi.C_NET_WIRE_BYTES, back, 1);
  counted("zero pages", abi.C_ZERO_PAGES, zero);
  counted("zero pages not written", abi.C_PLACED_SKIPPED, zero, 1);
  counted("pages placed", abi.C_PLACED_PAGES, PAGES - zero, 1);

  const clock = p[abi.S_CARD_NUM]!;
  const busy = (what: string, account: number, engines: number, ticks: number): void => {
    let found = 0n;
    for (let i = 0; i < engines; i++) found += accountTicks(core, 0, account + i, abi.BUSY);
    same(`busy: ${what}`, found, ticks);
  };
  const jobs = PAGES + state.length;
  busy("zero filter", abi.A_ZERO, 1, jobs * p[abi.S_ZERO_CYCLES]! * clock);
  busy("compressor", abi.A_LZ, p[abi.S_LZ_ENGINES]!, lzCycles * clock);
  const d = p[abi.S_GCM_BITS]!;
  const seal = sum([...pages, ...state].map((n) => Math.ceil(128 / d) + Math.ceil((8 * n) / d) + 1));
  busy("seal", abi.A_SEAL, p[abi.S_GCM_ENGINES]!, (seal + 2 * p[abi.S_GCM_KEY_LOAD]!) * clock);
  busy("transmitter", abi.A_NET, 1, wire * run.params.global[abi.G_NET_TICKS_NUM]!);
  const suspended = core.logged(abi.L_SUSPENDED);
  same("busy: guest", accountTicks(core, 0, abi.A_GUEST, abi.BUSY), suspended);
  const idle = core.logged(abi.L_BOOKS) - suspended;
  same("accounting: guest suspended", accountTicks(core, 0, abi.A_GUEST, abi.STARVED), idle);
}

/** Buckets hold every sample; least and greatest lie in the first and last that hold any. */
export function checkHistograms(run: Run): void {
  const { core } = run;
  for (let i = 0; i < 2 * abi.HISTOGRAMS; i++) {
    const at = core.address("histogramsAt") + i * 4096;
    const n = core.u64(at);
    if (n === 0n) continue;
    const buckets = Array.from({ length: 508 }, (_, b) => core.u64(at + 32 + 8 * b));
    same(
      "histogram: samples in buckets",
      buckets.reduce((a, b) => a + b, 0n),
      n,
    );
    const [max, min] = [Number(core.u64(at + 16)), Number(core.u64(at + 24))];
    const first = buckets.findIndex((b) => b !== 0n);
    const last = buckets.findLastIndex((b) => b !== 0n);
    for (const [bucket, value] of [
      [first, min],
      [last, max],
    ] as const) {
      const [low, high] = [bucketEdge(bucket), bucketEdge(bucket + 1)];
      claim("histogram: bucket", low <= value && value < high, value, `in ${low} to ${high}`);
    }
  }
}

/** Sums of a series. */
function checkSeries(run: Run): void {
  const { core } = run;
  const total = (series: number): number => {
    const at = core.address("seriesAt") + series * abi.SERIES_BINS * 8;
    return sum(Array.from({ length: abi.SERIES_BINS }, (_, i) => Number(core.u64(at + 8 * i))));
  };
  const payload = core.counter(0, abi.C_NET_PAYLOAD_A) + core.counter(0, abi.C_NET_PAYLOAD_B);
  same("series: goodput", total(abi.SERIES_GOODPUT), payload);
  same("series: placed", total(abi.SERIES_PLACED), PAGES);
  // a window has what the wire carries in it, and a byte for each frame that it cuts
  const { link } = run.scenario;
  const [num, den] = link.ticksPerByte;
  const mss = segmentBytes(link);
  const window = Number(BigInt.asUintN(64, core.fn("seriesWindow")() as bigint));
  const most = (window * den * mss) / (num * frameBytes(link, mss)) + 3;
  const at = core.address("seriesAt") + abi.SERIES_GOODPUT * abi.SERIES_BINS * 8;
  const peak = Math.max(...Array.from({ length: abi.SERIES_BINS }, (_, i) => Number(core.u64(at + 8 * i))));
  claim("series: goodput of a window", peak <= most, `${peak} B`, `at most ${most} B`);
}

const SETS = [
  "link.preset=ethernet-100g",
  "link.rtt=2 us",
  "encrypt.cipher=aes-128-gcm",
  "source.card.dma.descriptorBatch=1",
];

/** Runs and compares. `addressBytes`: payload of the one address batch. */
export function checkWire(sets: readonly string[], addressBytes: number): void {
  const text = guestText(`${4 * PAGES} KiB`, { rate: "0 /s", deviceState: `${STATE_BYTES / 1024} KiB` });
  // SKP often, DLLPs seldom: both show in few packets
  const sideParams = [0, 1].flatMap((side): [number, number, number][] => [
    [side, abi.S_PCIE_SKP_PERIOD, 1000 * abi.TICKS_PER_NS],
    [side, abi.S_PCIE_LIMIT, 10_000 * abi.TICKS_PER_NS],
  ]);
  const explicit = !sets.includes("internal.dll=none");
  const options = { variant: "lean" as const, sets: [...SETS, ...sets] };
  const run = runText(text, explicit ? { ...options, sideParams } : options);
  ended("wire bytes", run);
  const work = workOf(run);
  checkLink(run, 0, sourceTraffic(run, addressBytes));
  checkLink(run, 1, destinationTraffic(run, PAGES - work.zero));
  checkCards(run, work);
  checkHistograms(run);
  checkSeries(run);
}

/** All forms of an address batch, and both kinds of data link layer. */
export const WIRE_RUNS: readonly [sets: string[], addressBytes: number][] = [
  [["internal.dll=none"], 8 + abi.BATCH_PAGES / 8],
  [["internal.addresses=list"], 8 + 8 * PAGES],
  // data frames have 32 bytes at least, so that ACKs alone are padded to 92
  [["link.minFrame=92 B", "link.preamble=7 B", "link.gap=20 B", "link.header=18 B"], 8 + abi.BATCH_PAGES / 8],
  [["internal.addresses=runs"], 8 + 8],
];
