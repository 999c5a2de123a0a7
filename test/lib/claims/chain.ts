// SPDX-License-Identifier: Apache-2.0
/**
 * A migration of one page and one chunk of device state, added up by hand from docs/model.md: nothing
 * overlaps, so every time is a sum of terms of that page. There is no data link layer, the front-end takes
 * 20 us a message, the guest is silent.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Core } from "../../../src/core.ts";
import { encodeLz4Hardware } from "../reference/lz4-hardware.ts";
import { guestText, type Run, runText } from "../timeline.ts";
import { encoderEnd, machineOf } from "./encoder.ts";
import { ended, same } from "./expect.ts";

const MESSAGE_TICKS = 20_000 * abi.TICKS_PER_NS;
/** Before the payload of a message (docs/model.md section 4); transactions that a port holds (section 2). */
export const VSOCK_HEADER_BYTES = 44;
const PORT_ENTRIES = 8;
const STORE_TICKS = BigInt(abi.TICKS_PER_NS);

/** Least multiple of `unit` that is not below n, in units. */
const ceilDiv = (n: bigint, unit: bigint): bigint => (n + unit - 1n) / unit;

/** A clock: edge k lies at ceil(k num / den). */
class Clock {
  readonly num: bigint;
  readonly den: bigint;
  constructor(num: number, den: number) {
    this.num = BigInt(num);
    this.den = BigInt(den);
  }
  edge(k: bigint): bigint {
    return ceilDiv(k * this.num, this.den);
  }
  /** Number of the first edge at or after t: the least k with k num / den > t - 1. */
  index(t: bigint): bigint {
    return t === 0n ? 0n : ((t - 1n) * this.den) / this.num + 1n;
  }
  at(t: bigint): bigint {
    return this.edge(this.index(t));
  }
  after(t: bigint, cycles: number): bigint {
    return this.edge(this.index(t) + BigInt(cycles));
  }
}

/** One side: its clocks, its PCIe link without a data link layer, its host memory. Used in order of time. */
class Side {
  readonly p: (index: number) => number;
  readonly card: Clock;
  readonly control: Clock;
  #up = 0n;
  #down = 0n;
  #reads = 0n;
  #writes = 0n;
  /** Ticks that the cores have been busy. */
  handled = 0n;
  /** When the last write up began to be sent. */
  sentAt = 0n;

  constructor(values: readonly number[]) {
    this.p = (index) => values[index]!;
    this.card = new Clock(this.p(abi.S_CARD_NUM), this.p(abi.S_CARD_DEN));
    this.control = new Clock(this.p(abi.S_CTL_NUM), this.p(abi.S_CTL_DEN));
  }

  #wire(bytes: number): bigint {
    return BigInt(bytes * this.p(abi.S_PCIE_TICKS_PER_BYTE));
  }

  #flight(): bigint {
    return BigInt(this.p(abi.S_PCIE_FLIGHT));
  }

  /** A write of n bytes up that may go from `ready` on: when it has landed. */
  write(ready: bigint, n: number): bigint {
    const start = ready > this.#up ? ready : this.#up;
    this.sentAt = start;
    this.#up = start + this.#wire(24 + 4 * Math.ceil(n / 4));
    const arrival = this.#up + this.#flight();
    const from = arrival > this.#writes ? arrival : this.#writes;
    const span = ceilDiv(
      BigInt(n) * BigInt(this.p(abi.S_MEM_WRITE_NUM)),
      BigInt(this.p(abi.S_MEM_WRITE_DEN)),
    );
    this.#writes = from + span;
    return this.#writes;
  }

  /** A doorbell put at `ready`: when the card has it. */
  doorbell(ready: bigint): bigint {
    return ready + this.#wire(28) + this.#flight();
  }

  /** A read at a multiple of RCB that may go from `ready` on: when its last byte is at the card. */
  read(ready: bigint, n: number): bigint {
    const start = ready > this.#up ? ready : this.#up;
    this.#up = start + this.#wire(24);
    const arrival = this.#up + this.#flight();
    const from = arrival > this.#reads ? arrival : this.#reads;
    const span = ceilDiv(BigInt(n) * BigInt(this.p(abi.S_MEM_READ_NUM)), BigInt(this.p(abi.S_MEM_READ_DEN)));
    this.#reads = from + span;
    const there = this.#reads + BigInt(this.p(abi.S_MEM_READ_LATENCY));
    const unit = this.p(n > this.p(abi.S_PCIE_COMBINE_ABOVE) ? abi.S_PCIE_MPS : abi.S_PCIE_RCB);
    const begin = there > this.#down ? there : this.#down;
    this.#down = begin;
    for (let left = n; left > 0; left -= unit) {
      this.#down += this.#wire(20 + 4 * Math.ceil(Math.min(left, unit) / 4));
    }
    return this.#down + this.#flight();
  }

  /** A message of n bytes to the card, whose doorbell rings at t: the clock at which it is there. */
  toCard(t: bigint, n: number): bigint {
    const { card } = this;
    const entry = card.at(this.doorbell(t + STORE_TICKS));
    const descriptor = card.at(this.read(card.after(entry, 1), 8));
    const room = card.at(this.read(card.after(descriptor, 2), 16));
    // the step that takes an answer, the step that finds room, then a piece a clock
    let put = card.after(room, 1);
    const taken: bigint[] = [];
    const mrrs = this.p(abi.S_PCIE_MRRS);
    for (let left = VSOCK_HEADER_BYTES + n; left > 0; left -= mrrs) {
      const tag = taken.at(-this.p(abi.S_PCIE_TAGS_VSOCK)) ?? 0n;
      const soonest = card.after(put, 1);
      put = soonest > tag ? soonest : tag;
      taken.push(card.at(this.read(card.after(put, 1), Math.min(left, mrrs))));
    }
    const used = taken.at(-1)!;
    this.write(card.after(used, 1), 8);
    this.write(card.after(used, 2), 4);
    return card.after(used, 2);
  }

  /** A message of n bytes to the host that the card begins at the edge t: when its interrupt has landed. */
  toHost(t: bigint, n: number): { landed: bigint; free: bigint } {
    const { card } = this;
    const descriptor = card.at(this.read(card.after(t, 1), 8));
    let put = card.at(this.read(card.after(descriptor, 2), 16));
    const mps = this.p(abi.S_PCIE_MPS);
    const pieces: number[] = [];
    for (let left = VSOCK_HEADER_BYTES + n; left > 0; left -= mps) pieces.push(Math.min(left, mps));
    const sent: bigint[] = [];
    let landed = 0n;
    for (const bytes of [...pieces, 8, 4, 4]) {
      // one a clock; the port holds eight, and the edge after one has begun there is room for another
      const room = sent.length < PORT_ENTRIES ? 0n : this.next(sent[sent.length - PORT_ENTRIES]!);
      const soonest = card.after(put, 1);
      put = soonest > room ? soonest : room;
      landed = this.write(card.after(put, 1), bytes);
      sent.push(this.sentAt);
    }
    return { landed, free: card.after(put, 1) };
  }

  /** The front-end copies n bytes. */
  copyTicks(n: number): bigint {
    return ceilDiv(BigInt(n) * BigInt(this.p(abi.S_HOST_COPY_NUM)), BigInt(this.p(abi.S_HOST_COPY_DEN)));
  }

  /** A handler that may be seen from `t` on: when it has ended. */
  handler(t: bigint, cycles: number): bigint {
    const begun = this.control.at(t);
    const end = this.control.after(begun, cycles);
    this.handled += end - begun;
    return end;
  }

  /** First card clock edge after t. */
  next(t: bigint): bigint {
    return this.card.at(t + 1n);
  }

  /** Copies a record between SRAM and card DRAM from the edge t on. */
  copy(t: bigint, bytes: number): bigint {
    const span = ceilDiv(2n * BigInt(bytes) * BigInt(this.p(abi.S_DRAM_NUM)), BigInt(this.p(abi.S_DRAM_DEN)));
    const end = this.card.at(t + span);
    const least = this.card.after(t, 1);
    return end > least ? end : least;
  }

  /** AES-GCM of n bytes from the edge t on; `cold`: the key is in no slot. */
  crypto(t: bigint, n: number, cold: boolean): bigint {
    const d = this.p(abi.S_GCM_BITS);
    const words = Math.ceil(128 / d) + Math.ceil((8 * n) / d) + 1;
    const load = cold ? this.p(abi.S_GCM_KEY_LOAD) : 0;
    const taken = words * this.p(abi.S_GCM_WORD) + load + this.p(abi.S_GCM_REST);
    const [num, den] = [BigInt(this.p(abi.S_GCM_SPAN_NUM)), BigInt(this.p(abi.S_GCM_SPAN_DEN))];
    if (den === 0n) return this.card.after(t, taken + this.p(abi.S_GCM_LATENCY));
    // a clock of their own: the end of the record, then that of what is behind it, is the card's edge
    const free = this.card.at(t + ceilDiv(BigInt(taken) * num, den));
    const seen = this.card.at(free + ceilDiv(BigInt(this.p(abi.S_GCM_LATENCY)) * num, den));
    return seen > this.card.after(free, 1) ? seen : this.card.after(free, 1);
  }
}

/** The two cards with the link between them. */
class Pair {
  readonly sides: readonly [Side, Side];
  readonly g: (index: number) => number;
  readonly #cold = new Set<string>();

  constructor(run: Run) {
    const { global, sides } = run.params;
    this.g = (index) => global[index]!;
    this.sides = [new Side(sides[0]), new Side(sides[1])];
  }

  #key(name: string): boolean {
    const cold = !this.#cold.has(name);
    this.#cold.add(name);
    return cold;
  }

  /** From the page record's handler at the edge `t` of one card to the end of decryption on the other. */
  record(
    from: number,
    link: number,
    t: bigint,
    payload: number,
  ): { framed: bigint; begun: bigint; open: bigint } {
    const a = this.sides[from]!;
    const b = this.sides[1 - from]!;
    const recorded = a.next(a.handler(t, a.p(abi.S_CTL_RECORD)));
    const sealed = a.crypto(recorded, payload, this.#key(`seal ${from} ${link}`));
    const bytes = 16 + payload + 16;
    const framed = a.copy(sealed, bytes);
    const seen = a.card.after(framed, 1);
    const wire = BigInt(38 + Math.max(46, 52 + bytes));
    const ticks = (wire * BigInt(this.g(abi.G_NET_TICKS_NUM))) / BigInt(this.g(abi.G_NET_TICKS_DEN));
    const begun = b.card.at(seen + ticks + BigInt(this.g(abi.G_NET_PROPAGATION)));
    const received = b.card.after(b.copy(begun, bytes), 1);
    const known = b.next(b.handler(received, b.p(abi.S_CTL_RECORD)));
    return { framed, begun, open: b.crypto(known, payload, this.#key(`open ${1 - from} ${link}`)) };
  }

  /** A round end from the front-end's doorbell at t: when the destination has taken the round as placed. */
  roundEnd(t: bigint): bigint {
    const [a, b] = this.sides;
    const told = a.handler(a.card.after(a.toCard(t, 16), 1), a.p(abi.S_CTL_INTERRUPT));
    const { open } = this.record(0, 1, a.next(told), 0);
    const known = b.handler(open, b.p(abi.S_CTL_ROUND_END));
    return b.handler(known, b.p(abi.S_CTL_ROUND_END));
  }

  /** The destination's answer at t: when the source's front-end has heard of it. */
  answer(t: bigint): bigint {
    const [a, b] = this.sides;
    const { open } = this.record(1, 1, b.next(t), 0);
    const told = a.next(a.handler(open, a.p(abi.S_CTL_ROUND_END)));
    return a.toHost(told, 32).landed + BigInt(a.p(abi.S_HOST_INTERRUPT));
  }
}

const SCENARIO = [
  "internal.dll=none",
  "source.card.dma.descriptorBatch=1",
  "encrypt.cipher=aes-128-gcm",
  "link.preset=ethernet-100g",
];

/** Encoders that have a clock of their own, 300 MHz. */
export const ENGINE = ["compress.engine=vitis-lz4-8e"];
/** Ciphers that have: 468.75 MHz at one card, and one record at a time from the other at 390.625. */
export const CIPHERS = ["encrypt.source=macsec-100g", "encrypt.destination=hsc-400g"];

/** The run that the sums describe. */
export function chainRun(variant: "lean" | "instrumented" = "lean", sets: readonly string[] = []): Run {
  const text = guestText("4 KiB", { rate: "0 /s", mix: "{ zero: 0, text: 100, random: 0 }" });
  const slow: [number, number, number][] = [
    [0, abi.S_HOST_MESSAGE, MESSAGE_TICKS],
    [1, abi.S_HOST_MESSAGE, MESSAGE_TICKS],
  ];
  return runText(text, { variant, sets: [...SCENARIO, ...sets], sideParams: slow });
}

/** Number and sum of a histogram's samples. */
function samples(core: Core, side: number, index: number): string {
  const at = core.address("histogramsAt") + (side * abi.HISTOGRAMS + index) * 4096;
  return `${core.u64(at)} x ${core.u64(at + 8)}`;
}

/** Ticks that an account was in a state. */
export function accountTicks(core: Core, side: number, index: number, state: number): bigint {
  const at = core.address("accountsAt") + (side * abi.ACCOUNTS + index) * abi.ACCOUNT_BYTES;
  return core.u64(at + 16 + 8 * state);
}

/** START to the end of the tracker's start. */
function setupDone(pair: Pair): bigint {
  const [a] = pair.sides;
  const there = a.toCard(BigInt(MESSAGE_TICKS), 0);
  const started = a.handler(a.card.after(there, 1), a.p(abi.S_CTL_INTERRUPT));
  const [num, den] = [BigInt(pair.g(abi.G_NET_TICKS_NUM)), BigInt(pair.g(abi.G_NET_TICKS_DEN))];
  const handshake = 2n * (ceilDiv(98n * num, den) + BigInt(pair.g(abi.G_NET_PROPAGATION)));
  const { landed } = a.toHost(a.next(started + handshake), 16);
  const ready = landed + BigInt(a.p(abi.S_HOST_INTERRUPT));
  return ready + BigInt(a.p(abi.S_HOST_PROTECT_PAGE) + a.p(abi.S_HOST_TLB_FLUSH));
}

/** What the zero filter may take at t: its coded size, when it is seen then, the clocks of decoding. */
function coding(
  run: Run,
  pair: Pair,
  t: bigint,
  body: Uint8Array,
): { out: bigint; size: number; decode: number } {
  const [a, b] = pair.sides;
  const { block, cycles } = encodeLz4Hardware(body, machineOf(run.params.sides[0]));
  const filtered = a.card.after(t, a.p(abi.S_ZERO_CYCLES) + 1);
  const coded = encoderEnd(run.params.sides[0], a.card, filtered, a.p(abi.S_LZ_SETUP) + cycles);
  const out = a.card.after(coded, Math.max(1, a.p(abi.S_LZ_FILL)));
  if (block === null) return { out, size: body.length, decode: 0 };
  const decode = b.p(abi.S_UNLZ_SETUP) + Math.ceil(body.length / b.p(abi.S_UNLZ_BYTES)) + 1;
  return { out, size: block.length, decode };
}

/** The page: from its address batch to host memory of the destination. Compares each stage. */
function pagePath(run: Run, pair: Pair, doorbell: bigint, page: Uint8Array): void {
  const [a, b] = pair.sides;
  const { core } = run;
  const batch = a.card.after(a.toCard(doorbell, 8 + abi.BATCH_PAGES / 8), 1);
  const cycles = a.p(abi.S_CTL_ADDRESS) + a.p(abi.S_CTL_ADDRESS_PAGE);
  const scanned = a.card.after(a.next(a.handler(batch, cycles)), 1);
  const posted = a.next(a.handler(scanned, a.p(abi.S_CTL_DESC)));
  a.write(posted, a.p(abi.S_DESC_BYTES));
  const fetched = a.card.at(a.read(posted, a.p(abi.S_DESC_BYTES)));
  same("chain: descriptors fetched", accountTicks(core, 0, abi.A_DESC, abi.BUSY), fetched - posted);

  const begun = a.card.after(fetched, 1);
  const mrrs = a.p(abi.S_PCIE_MRRS);
  let last = 0n;
  for (let i = 0; i * mrrs < abi.PAGE_BYTES; i++) {
    last = a.read(a.card.after(begun, 1 + i * a.p(abi.S_READ_ISSUE)), mrrs);
  }
  const whole = a.card.at(last);
  same("chain: page read", samples(core, 0, abi.H_PAGE_READ), `1 x ${whole - begun}`);
  const coded = coding(run, pair, a.card.after(whole, 1), page);
  const sent = pair.record(0, 1, coded.out, coded.size);
  same("chain: page in the source card", samples(core, 0, abi.H_PAGE_TOTAL), `1 x ${sent.framed - begun}`);

  const place = b.card.after(sent.open, coded.decode);
  const mps = b.p(abi.S_PCIE_MPS);
  let landed = 0n;
  for (let i = 0; i * mps < abi.PAGE_BYTES; i++) {
    landed = b.write(b.card.after(place, 1 + i * b.p(abi.S_WRITE_ISSUE)), mps);
  }
  same("chain: page placed", samples(core, 1, abi.H_PLACE), `1 x ${landed - sent.begun}`);
}

/** The device state from its doorbell at t to the guest that runs again. */
function resumed(run: Run, pair: Pair, t: bigint, state: Uint8Array): bigint {
  const [a, b] = pair.sides;
  const coded = coding(run, pair, a.card.after(a.toCard(t, state.length), 1), state);
  const placed = b.card.after(pair.record(0, 0, coded.out, coded.size).open, coded.decode);
  // the firmware looks at its next edge; both messages are told then
  const told = b.next(b.control.at(placed));
  const device = b.toHost(told, state.length);
  const resume = b.toHost(device.free, 16);
  const interrupt = BigInt(b.p(abi.S_HOST_INTERRUPT));
  const held = device.landed + interrupt + b.copyTicks(state.length);
  const heard = (resume.landed > held ? resume.landed : held) + interrupt;
  return heard + BigInt(Math.ceil(state.length / 1024) * b.p(abi.S_HOST_DEVICE_KIB) + b.p(abi.S_HOST_RESUME));
}

/** Compares every stage of the run with its sum. */
export function checkChain(run: Run): void {
  const { core } = run;
  ended("chain", run);
  const pair = new Pair(run);
  const [a] = pair.sides;
  const bytesAt = (name: string, n: number): Uint8Array =>
    core.u8.slice(core.address(name), core.address(name) + n);
  const setup = setupDone(pair);
  same("chain: setup", core.logged(abi.L_SETUP_DONE), setup);
  const scan = BigInt((abi.BATCH_PAGES / 64) * a.p(abi.S_HOST_WORD));
  const message = BigInt(MESSAGE_TICKS);
  const addresses = setup + scan + message + a.copyTicks(8 + abi.BATCH_PAGES / 8);
  pagePath(run, pair, addresses, bytesAt("sourceImageAt", abi.PAGE_BYTES));
  const first = pair.answer(pair.roundEnd(addresses + message));
  same("chain: first round", core.u64(core.address("roundsAt") + 8 * abi.RL_END), first);
  const suspended = first + BigInt(a.p(abi.S_HOST_SUSPEND));
  same("chain: suspended", core.logged(abi.L_SUSPENDED), suspended);
  const final = suspended + scan + message;
  const device = final + message + a.copyTicks(pair.g(abi.G_DEVICE_BYTES));
  const placed = pair.roundEnd(final);
  same("chain: last round placed", core.logged(abi.L_RAM_DONE), placed);
  const state = bytesAt("deviceState", pair.g(abi.G_DEVICE_BYTES));
  same("chain: resumed", core.logged(abi.L_RESUMED), resumed(run, pair, device, state));
  pair.answer(placed);
  for (const [side, { handled, p }] of pair.sides.entries()) {
    let busy = 0n;
    for (let i = 0; i < p(abi.S_CORES); i++) busy += accountTicks(core, side, abi.A_CORE + i, abi.BUSY);
    same(`chain: handlers of side ${side}`, busy, handled);
  }
}
