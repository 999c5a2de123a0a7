// SPDX-License-Identifier: Apache-2.0
/**
 * The PCIe link of one card with its host memory, slowly: docs/model.md sections 2, 3 and 15, and nothing
 * else.
 *
 * In: everything that requesters put into the ports. Out: the start of every packet on both wires, what
 * memory answered, and when answers arrived. Nothing changes between two of the times that `nextTime` lists,
 * so the wires are looked at then and only then.
 */
import * as abi from "../../../assembly/abi.ts";
import { type Translation, TranslationCache } from "./ats.ts";
import { completionPiece, type Hooks, type Packet, type PcieRun, type Put, tlpBytes } from "./packets.ts";
import {
  type Amount,
  clocksAfter,
  DOWN,
  downUntil,
  type Entry,
  nothingAt,
  POSTED,
  spoiler,
  UP,
  type Wire,
} from "./pcie-wire.ts";
import type { RootComplex } from "./root.ts";

const NON_POSTED = 1;
const COMPLETION = 2;
const DLLP_BYTES = 8;
const REQUESTERS = 4;
const READ_PORT = 4;
const DOORBELL_PORT = 8;
const COMPLETION_PORT = 9;
const TRANSLATE_PORT = 10;
/** Bytes of a translation. */
const TRANSLATION_BYTES = 8;
const ACK = 0;
const UPDATE_P = 1;
const UPDATE_NP = 2;
const NAK = 3;

/** The two wires of a link, fed through their ports. */
export class Link {
  readonly #p: readonly number[];
  readonly #root: RootComplex;
  readonly #hooks: Hooks;
  readonly #wires: [Wire, Wire];
  /** UpdateFC and ACK with their limits; ACKs alone, one a packet; neither. */
  readonly #explicit: boolean;
  readonly #acknowledged: boolean;
  readonly #completions: Put[] = [];
  readonly #scanned: number[] = [];
  readonly #cache: TranslationCache;
  #puts = 0;

  /** The link of a side, whose packets are spoilt by draws of their own. */
  constructor(p: readonly number[], root: RootComplex, hooks: Hooks, side = 0) {
    this.#p = p;
    this.#root = root;
    this.#hooks = hooks;
    this.#cache = new TranslationCache(p, (translation, readyAt) => this.#ask(translation, readyAt));
    this.#explicit = p[abi.S_PCIE_DLL] === abi.DLL_EXPLICIT;
    this.#acknowledged = this.#explicit || p[abi.S_PCIE_DLL] === abi.DLL_ACK_PER_TLP;
    const endless = (n: number): number => (n === abi.CREDITS_ENDLESS ? Infinity : n);
    const up = [p[abi.S_PCIE_PH]!, p[abi.S_PCIE_PD]!, p[abi.S_PCIE_NPH]!, p[abi.S_PCIE_NPD]!].map(endless);
    const down = [p[abi.S_PCIE_DOWN_PH]!, p[abi.S_PCIE_DOWN_PD]!, Infinity, Infinity].map(endless);
    const [upTicks, downTicks] = [p[abi.S_PCIE_TICKS_PER_BYTE]!, p[abi.S_PCIE_DOWN_TICKS_PER_BYTE]!];
    this.#wires = [
      this.#wire(upTicks, up, [0, 1, 2, 3, 4, 5, 6, 7, TRANSLATE_PORT], spoiler(p, side, UP)),
      this.#wire(downTicks, down, [DOORBELL_PORT, COMPLETION_PORT], spoiler(p, side, DOWN)),
    ];
  }

  /** What has been done so far. */
  get done(): Omit<PcieRun, "answers"> {
    return {
      wires: [this.#wires[UP].packets, this.#wires[DOWN].packets],
      completions: this.#completions,
      scanned: this.#scanned,
    };
  }

  /** Puts a transaction into a port, behind all others; returns its place among all that were put. */
  put(put: Put): number {
    const wire = this.#wires[put.port === DOORBELL_PORT ? DOWN : UP];
    const order = this.#puts++;
    const entry = { ...put, order, requester: put.requester ?? put.port - READ_PORT, sentBytes: 0 };
    wire.ports.get(put.port)!.push(entry);
    if (put.port !== DOORBELL_PORT) this.#cache.translate(entry);
    return order;
  }

  /** Pages that the card's translation cache had, or had asked for, and those it asked for. */
  get translations(): { hits: number; misses: number } {
    return { hits: this.#cache.hits, misses: this.#cache.misses };
  }

  /** A translation request is one that nobody has put. */
  #ask(translation: Translation, readyAt: number): void {
    const { address } = translation;
    const own = { order: -1, requester: abi.R_ATS, sentBytes: 0, translation };
    const put = { port: TRANSLATE_PORT, bytes: TRANSLATION_BYTES, address, readyAt };
    this.#wires[UP].ports.get(TRANSLATE_PORT)!.push({ ...put, ...own });
  }

  /** Transactions in a port. */
  waiting(port: number): number {
    return this.#wires[port < DOORBELL_PORT ? UP : DOWN].ports.get(port)!.length;
  }

  #wire(ticksPerByte: number, credits: number[], ports: number[], isSpoilt: Wire["isSpoilt"]): Wire {
    const replay = this.#acknowledged ? this.#p[abi.S_PCIE_REPLAY_BYTES]! : Infinity;
    return {
      ticksPerByte,
      freeAt: 0,
      skpAt: this.#p[abi.S_PCIE_SKP_PERIOD]! || Infinity,
      classNext: POSTED,
      readNext: READ_PORT,
      ports: new Map(ports.map((port) => [port, []])),
      room: { replay, ph: credits[0]!, pd: credits[1]!, nph: credits[2]!, npd: credits[3]! },
      returns: [],
      unacknowledged: [],
      freedPosted: [],
      freedNonPosted: [],
      spoiltAt: Infinity,
      again: null,
      unheard: false,
      isSpoilt,
      packets: [],
    };
  }

  step(t: number): void {
    for (const which of [UP, DOWN]) {
      this.#takeReturns(this.#wires[which]!, t);
      this.#step(which, t);
    }
  }

  /** The first time after t at which anything can be different. */
  nextTime(t: number): number {
    let next = Infinity;
    const maybe = (at: number | undefined): void => {
      if (at !== undefined && at > t && at < next) next = at;
    };
    const limit = this.#p[abi.S_PCIE_LIMIT]!;
    maybe(downUntil(this.#p, t));
    for (const wire of this.#wires) {
      maybe(wire.freeAt);
      maybe(wire.spoiltAt);
      for (const port of wire.ports.values()) maybe(port[0]?.readyAt);
      maybe(wire.returns[0]?.at);
      for (const owed of [wire.unacknowledged[0], wire.freedPosted[0], wire.freedNonPosted[0]]) {
        if (owed !== undefined) maybe(owed.at + limit);
      }
    }
    return next;
  }

  #takeReturns(wire: Wire, t: number): void {
    while (wire.returns.length > 0 && wire.returns[0]!.at <= t) {
      const back = wire.returns.shift()!;
      wire.room.replay += back.replay;
      wire.room.ph += back.ph;
      wire.room.pd += back.pd;
      wire.room.nph += back.nph;
      wire.room.npd += back.npd;
      if (back.nak) wire.unheard = false;
    }
  }

  /** The wire's choice at t: SKP, NAK, ACK, UpdateFC-P, UpdateFC-NP, TLP. */
  #step(which: number, t: number): void {
    const wire = this.#wires[which]!;
    if (wire.freeAt > t || downUntil(this.#p, t) > t) return;
    const dllp = this.#dueDllp(which, t);
    const port = dllp === null && !wire.unheard ? this.#nextPort(wire, t) : null;
    if (dllp === null && port === null) return;
    while (wire.skpAt <= t) {
      const startAt = Math.max(wire.skpAt, wire.freeAt);
      const ticks = this.#p[abi.S_PCIE_SKP_TICKS]!;
      wire.skpAt += this.#p[abi.S_PCIE_SKP_PERIOD]!;
      wire.freeAt = startAt + ticks;
      if (wire.freeAt > t)
        this.#record(wire, { kind: abi.T_SKP, startAt, port: 0, what: ticks, amount: 0, units: 0 });
    }
    if (wire.freeAt > t) return;
    if (dllp !== null) this.#sendDllp(which, dllp, t);
    else this.#sendTlp(which, port!, t);
  }

  #record(wire: Wire, packet: Packet): void {
    wire.packets.push(packet);
  }

  /** The DLLP that is due on a wire: it speaks about what has arrived on the other. */
  #dueDllp(which: number, t: number): number | null {
    const other = this.#wires[1 - which]!;
    const due = (owed: { at: number }[]): boolean =>
      owed.length > 0 && owed[0]!.at + this.#p[abi.S_PCIE_LIMIT]! <= t;
    if (other.spoiltAt <= t) return NAK;
    if (due(other.unacknowledged)) return ACK;
    if (due(other.freedPosted)) return UPDATE_P;
    return due(other.freedNonPosted) ? UPDATE_NP : null;
  }

  #sendDllp(which: number, what: number, t: number): void {
    const other = this.#wires[1 - which]!;
    const duration = DLLP_BYTES * this.#wires[which]!.ticksPerByte;
    const back = nothingAt(t + duration + this.#p[abi.S_PCIE_FLIGHT]!);
    if (what === NAK) {
      other.spoiltAt = Infinity;
      back.nak = true;
    } else if (what === ACK) {
      do back.replay += other.unacknowledged.shift()!.bytes;
      while (this.#explicit && other.unacknowledged[0]! && other.unacknowledged[0].at <= t);
    } else {
      const freed = what === UPDATE_P ? other.freedPosted : other.freedNonPosted;
      while (freed.length > 0 && freed[0]!.at <= t) {
        const one = freed.shift()!;
        back.ph += one.ph;
        back.pd += one.pd;
        back.nph += one.nph;
        back.npd += one.npd;
      }
    }
    this.#returns(other, back);
    const amount = [back.replay, back.ph, back.nph, 0][what]!;
    const wire = this.#wires[which]!;
    this.#record(wire, { kind: abi.T_DLLP, startAt: t, port: 0, what, amount, units: back.pd + back.npd });
    wire.freeAt = t + duration;
  }

  /** The port whose first entry goes at t, classes and read ports in their turns. */
  #nextPort(wire: Wire, t: number): number | null {
    // what was spoilt goes again before all others; its gates are open, as nothing was sent since
    if (wire.again !== null) return wire.again;
    // a transaction that has begun goes on, if its next packet may go
    for (const [port, queue] of wire.ports) {
      const head = queue[0];
      if (head !== undefined && head.sentBytes > 0 && this.#mayGo(wire, head, t)) return port;
    }
    for (let i = 0; i < 3; i++) {
      const port = this.#ofClass(wire, (wire.classNext + i) % 3, t);
      if (port !== null) return port;
    }
    return null;
  }

  #ofClass(wire: Wire, kind: number, t: number): number | null {
    const firstWrite = this.#firstWrite(wire);
    if (kind === POSTED)
      return firstWrite !== null && this.#mayGo(wire, firstWrite, t) ? firstWrite.port : null;
    if (kind === COMPLETION) {
      const head = wire.ports.get(COMPLETION_PORT)?.[0];
      return head !== undefined && this.#mayGo(wire, head, t) ? COMPLETION_PORT : null;
    }
    // translations first, whatever was put before
    const request = wire.ports.get(TRANSLATE_PORT)?.[0];
    if (request !== undefined && this.#mayGo(wire, request, t)) return TRANSLATE_PORT;
    for (let i = 0; i < REQUESTERS; i++) {
      const port = READ_PORT + ((wire.readNext - READ_PORT + i) % REQUESTERS);
      const head = wire.ports.get(port)?.[0];
      if (head === undefined) continue;
      const passes = firstWrite !== null && firstWrite.order < head.order;
      if (!passes && this.#mayGo(wire, head, t)) return port;
    }
    return null;
  }

  /** The write that was put first of all that have not gone. */
  #firstWrite(wire: Wire): Entry | null {
    let first: Entry | null = null;
    for (const port of [0, 1, 2, 3, DOORBELL_PORT]) {
      const head = wire.ports.get(port)?.[0];
      if (head !== undefined && (first === null || head.order < first.order)) first = head;
    }
    return first;
  }

  /** Ready, and every gate open. */
  #mayGo(wire: Wire, entry: Entry, t: number): boolean {
    if (entry.readyAt > t) return false;
    const needs = this.#needs(entry);
    const { room } = wire;
    return (["replay", "ph", "pd", "nph", "npd"] as const).every((one) => needs[one] <= room[one]);
  }

  #needs(entry: Entry): Wire["room"] {
    const p = this.#p;
    if (entry.port === COMPLETION_PORT) {
      const data = completionPiece(p, entry.address, entry.bytes, entry.sentBytes);
      return { replay: tlpBytes(p, "completion", data), ph: 0, pd: 0, nph: 0, npd: 0 };
    }
    const asks = entry.port === TRANSLATE_PORT;
    const reads = asks || (entry.port >= READ_PORT && entry.port < READ_PORT + REQUESTERS);
    // the operands of an AtomicOp, 16 bytes at most, are one unit of data
    if (entry.operandBytes !== undefined)
      return { replay: tlpBytes(p, "atomic", entry.operandBytes), ph: 0, pd: 0, nph: 1, npd: 1 };
    if (reads) return { replay: tlpBytes(p, "read", 0), ph: 0, pd: 0, nph: 1, npd: 0 };
    const data = this.#writePiece(entry);
    return { replay: tlpBytes(p, "write", data), ph: 1, pd: Math.ceil(data / 16), nph: 0, npd: 0 };
  }

  /** Bytes of the next packet of a write: cut at multiples of MPS. */
  #writePiece(entry: Entry): number {
    const mps = this.#p[abi.S_PCIE_MPS]!;
    return Math.min(entry.bytes - entry.sentBytes, mps - ((entry.address + entry.sentBytes) % mps));
  }

  #sendTlp(which: number, port: number, t: number): void {
    const wire = this.#wires[which]!;
    const queue = wire.ports.get(port)!;
    const entry = queue[0]!;
    const needs = this.#needs(entry);
    if (wire.isSpoilt(needs.replay)) {
      this.#spoils(wire, port, needs.replay, t);
      return;
    }
    wire.again = null;
    wire.room.replay -= needs.replay;
    wire.room.ph -= needs.ph;
    wire.room.pd -= needs.pd;
    wire.room.nph -= needs.nph;
    wire.room.npd -= needs.npd;
    const duration = needs.replay * wire.ticksPerByte;
    wire.freeAt = t + duration;
    const arriveAt = t + duration + this.#p[abi.S_PCIE_FLIGHT]!;
    if (this.#acknowledged) wire.unacknowledged.push({ at: arriveAt, bytes: needs.replay });
    let amount = entry.bytes;
    if (port === COMPLETION_PORT) amount = this.#completed(entry, arriveAt);
    else if (needs.nph === 1) this.#readArrives(wire, entry, arriveAt);
    else amount = this.#writeArrives(which, wire, entry, arriveAt);
    if (needs.nph === 1 || entry.sentBytes === entry.bytes) queue.shift();
    if (needs.nph === 1 && port !== TRANSLATE_PORT)
      wire.readNext = READ_PORT + ((port - READ_PORT + 1) % REQUESTERS);
    wire.classNext = port === COMPLETION_PORT ? POSTED : needs.nph === 1 ? COMPLETION : NON_POSTED;
    this.#record(wire, { kind: abi.T_TLP, startAt: t, port, what: needs.replay, amount, units: 0 });
  }

  /** The packet takes its time and arrives in vain; a NAK is owed, and without a data link layer heard of. */
  #spoils(wire: Wire, port: number, bytes: number, t: number): void {
    const flight = this.#p[abi.S_PCIE_FLIGHT]!;
    wire.freeAt = t + bytes * wire.ticksPerByte;
    wire.again = port;
    wire.unheard = true;
    const arriveAt = wire.freeAt + flight;
    if (this.#acknowledged) wire.spoiltAt = arriveAt;
    else this.#returns(wire, { ...nothingAt(arriveAt + flight), nak: true });
    this.#record(wire, { kind: abi.T_SPOILT, startAt: t, port, what: bytes, amount: 0, units: 0 });
  }

  #completed(entry: Entry, arriveAt: number): number {
    const data = completionPiece(this.#p, entry.address, entry.bytes, entry.sentBytes);
    entry.sentBytes += data;
    if (entry.sentBytes === entry.bytes) {
      const { requester, bytes, order, translation } = entry;
      if (translation !== undefined) this.#cache.answered(translation, arriveAt);
      this.#hooks.answered({ requester, at: arriveAt, bytes }, order);
    }
    return data;
  }

  /** Answers are sent in the order in which they are ready, of equal ones in that of their requests. */
  #readArrives(wire: Wire, entry: Entry, arriveAt: number): void {
    const { bytes, address, requester, order, translation } = entry;
    const { startAt, readyAt: readAt } =
      translation === undefined
        ? this.#root.read(address, bytes, arriveAt)
        : this.#root.translation(address, arriveAt);
    const readyAt = readAt + (entry.operandBytes === undefined ? 0 : this.#p[abi.S_MEM_ATOMIC]!);
    const put = { port: COMPLETION_PORT, bytes, address, readyAt };
    this.#completions.push(put);
    if (requester === abi.R_SCAN) this.#scanned.push(readyAt);
    const queue = this.#wires[DOWN].ports.get(COMPLETION_PORT)!;
    const begun = queue.filter((e) => e.sentBytes > 0);
    const others = queue.filter((e) => e.sentBytes === 0);
    others.push({ ...put, order, requester, sentBytes: 0, translation });
    others.sort((a, b) => a.readyAt - b.readyAt);
    this.#wires[DOWN].ports.set(COMPLETION_PORT, [...begun, ...others]);
    // a pool without a limit is not returned to
    const nph = wire.room.nph === Infinity ? 0 : 1;
    const npd = entry.operandBytes === undefined || wire.room.npd === Infinity ? 0 : 1;
    if (nph + npd > 0) this.#freed(wire, wire.freedNonPosted, { ...nothingAt(startAt), nph, npd });
  }

  #writeArrives(which: number, wire: Wire, entry: Entry, arriveAt: number): number {
    const p = this.#p;
    const data = this.#writePiece(entry);
    entry.sentBytes += data;
    if (entry.sentBytes < entry.bytes) entry.readyAt = clocksAfter(p, entry.readyAt, p[abi.S_WRITE_ISSUE]!);
    const address = entry.address + entry.sentBytes - data;
    const isData = entry.port === abi.R_DATA || entry.port === abi.R_TENANT;
    const landedAt = which === UP ? this.#root.write(address, data, arriveAt, isData) : arriveAt;
    if (entry.sentBytes === entry.bytes) this.#hooks.landed(entry.order, landedAt);
    if (wire.room.ph === Infinity && wire.room.pd === Infinity) return data;
    this.#freed(wire, wire.freedPosted, { ...nothingAt(landedAt), ph: 1, pd: Math.ceil(data / 16) });
    return data;
  }

  /** Freed by the receiver: owed by an UpdateFC, or back one flight later without a data link layer. */
  #freed(wire: Wire, owed: Amount[], amount: Amount): void {
    if (this.#explicit) {
      owed.push(amount);
      // posted credits come back as they are freed
      if (owed === wire.freedPosted) owed.sort((a, b) => a.at - b.at);
      return;
    }
    this.#returns(wire, { ...amount, at: amount.at + this.#p[abi.S_PCIE_FLIGHT]! });
  }

  #returns(wire: Wire, amount: Amount): void {
    wire.returns.push(amount);
    wire.returns.sort((a, b) => a.at - b.at);
  }
}
