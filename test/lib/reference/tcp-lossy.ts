// SPDX-License-Identifier: Apache-2.0
/**
 * Connections over a path that loses, slowly and one frame at a time: docs/model.md section 6 and the RFCs it
 * names. A link alone: side 0 has bytes for data link B from the start, side 1 takes what it receives.
 */
import * as abi from "../../../assembly/abi.ts";
import { Growth } from "./growth.ts";
import { Receiver, type Span } from "./receiver.ts";

const MS = 1_024_000_000_000;
const NS = 1_024_000;
const PIECE_BYTES = 65_215;

/** A frame of a link; times in ticks, `data` bytes up to `end` of its connection. */
export interface LossyFrame {
  side: number;
  index: number;
  startAt: number;
  bytes: number;
  acknowledged: number;
  rightEdge: number;
}

interface Flying extends LossyFrame {
  end: number;
  data: number;
  blocks: Span[];
  arriveAt: number;
}

interface Segment {
  end: number;
  bytes: number;
  data: number;
  sentAt: number;
  sacked: boolean;
  lost: boolean;
  again: boolean;
  ever: boolean;
}

/** MurmurHash3's finaliser over two words, as kernel/random states it. */
function mix(a: number, b: number): number {
  let h = a ^ Math.imul(b, 0x9e3779b1);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The way of one side's frames behind its port. */
class Way {
  readonly #g: readonly number[];
  readonly #seed: number;
  readonly #loss: number;
  #freeAt = 0;
  #carry = 0;
  #number = 0;
  #lastAt = 0;

  constructor(g: readonly number[], side: number) {
    this.#g = g;
    this.#seed = mix(g[abi.G_SEED]!, 0x7c90 + side);
    this.#loss = g[abi.G_NET_LOSS + side]!;
  }

  /** When a frame that leaves the port at t arrives; null when it does not. */
  send(wireBytes: number, t: number): number | null {
    const g = this.#g;
    const number = this.#number++;
    let at = t;
    if (g[abi.G_NET_QUEUE_NUM]! > 0) {
      const [num, den] = [g[abi.G_NET_QUEUE_NUM]!, g[abi.G_NET_QUEUE_DEN]!];
      const wait = Math.max(0, this.#freeAt - t);
      if (wait * den > g[abi.G_NET_BUFFER]! * num) return null;
      const work = wireBytes * num + (wait === 0 ? 0 : this.#carry);
      this.#carry = work % den;
      this.#freeAt = t + wait + (work - this.#carry) / den;
      at = this.#freeAt;
    }
    if (mix(this.#seed, number) < this.#loss) return null;
    at += g[abi.G_NET_PROPAGATION]!;
    const jitter = BigInt(g[abi.G_NET_JITTER]!);
    at += Number((BigInt(mix(this.#seed ^ 0x5bd1e995, number)) * jitter) >> 32n);
    this.#lastAt = Math.max(this.#lastAt, at);
    return this.#lastAt;
  }
}

/** The sending end of a connection. */
class Sender {
  readonly growth: Growth;
  segments: Segment[] = [];
  next = 0;
  una = 0;
  right: number;
  probeDue = false;
  timerAt = Infinity;
  burst = 0;
  lastSentAt = 0;
  #mss: number;
  #state: "open" | "recovery" | "loss" = "open";
  #highSeq = 0;
  #srtt = 0;
  #mdev = 0;
  #leastRtt = Infinity;
  #rack = { sentAt: 0, rtt: 0 };
  #timer: "rto" | "probe" | "reorder" | "off" = "off";
  #backoff = 0;
  #probeEnd: number | null = null;
  #limitedUntil = 0;
  #edge = false;
  #smallEnd = 0;

  constructor(mss: number, cubic: boolean, right: number) {
    this.#mss = mss;
    this.growth = new Growth(cubic);
    this.right = right;
  }

  get inFlight(): number {
    return this.segments.filter((s) => !s.sacked && (!s.lost || s.again)).length + this.#doubled;
  }

  /** A probe that went once more counts beside its first sending. */
  get #doubled(): number {
    return this.segments.filter((s) => !s.sacked && !s.lost && s.again).length;
  }

  get #waiting(): Segment | undefined {
    return this.segments.find((s) => s.lost && !s.again && !s.sacked);
  }

  timeout(): number {
    const plain = this.#srtt === 0 ? 1000 * MS : this.#srtt + Math.max(4 * this.#mdev, 200 * MS);
    return Math.min(plain * 2 ** Math.min(this.#backoff, 16), 120_000 * MS);
  }

  // --- acknowledgements ---

  acknowledge(f: Flying, t: number): void {
    const told = { delivered: 0, first: 0, last: 0, sacked: 0, lost: 0, moved: false };
    for (const block of f.blocks) this.#sack(block, told, t);
    this.right = Math.max(this.right, f.rightEdge);
    const advanced = f.acknowledged > this.una;
    if (advanced) this.#cumulative(f.acknowledged, told, t);
    if (told.delivered === 0 && !advanced) return;
    const rtt = told.first || told.sacked;
    if (rtt > 0) this.#sampleRtt(rtt);
    const judge = this.segments.some((s) => s.sacked || s.again);
    const found = judge ? this.#findLosses(t) : { wait: 0, lost: 0 };
    if (this.#state !== "open" && this.una >= this.#highSeq) {
      if (this.#state === "recovery") this.growth.cwnd = this.growth.ssthresh;
      this.#state = "open";
    }
    if (this.#state === "open" && this.segments.some((s) => s.lost)) this.#recover();
    if (this.#state === "recovery") {
      this.growth.reduce(told.delivered, advanced && found.lost === 0, this.inFlight);
    } else if (advanced) {
      const view = { ...this, mssBytes: this.#mss, srtt: this.#srtt, una: this.una, next: this.next };
      if (told.last > 0) this.growth.sample(told.last, { ...view, inFlight: 0 }, t);
      this.growth.grow(told.delivered, t);
    }
    if (told.moved) this.#setTimer(t);
    this.#waitFor(found.wait, t);
  }

  #delivered(s: Segment, t: number): void {
    if (s.sentAt < this.#rack.sentAt) return;
    if (s.ever && t - s.sentAt < this.#leastRtt) return;
    this.#rack = { sentAt: s.sentAt, rtt: t - s.sentAt };
  }

  #sack(block: Span, told: { delivered: number; last: number; sacked: number }, t: number): void {
    for (const s of this.segments) {
      if (s.sacked || s.end - s.bytes < block.from || s.end > block.to) continue;
      told.delivered++;
      this.#delivered(s, t);
      if (!s.ever) {
        told.last = t - s.sentAt;
        told.sacked ||= told.last;
      }
      Object.assign(s, { sacked: true, lost: false, again: false });
    }
  }

  #cumulative(
    ack: number,
    told: { delivered: number; first: number; last: number; moved: boolean },
    t: number,
  ): void {
    while (this.segments.length > 0 && this.segments[0]!.end <= ack) {
      const s = this.segments.shift()!;
      told.moved = true;
      if (s.sacked) continue;
      told.delivered++;
      this.#delivered(s, t);
      if (s.ever) continue;
      told.last = t - s.sentAt;
      told.first ||= told.last;
    }
    this.una = ack;
    this.#backoff = 0;
    if (this.#probeEnd !== null && this.una >= this.#probeEnd) this.#probeEnd = null;
  }

  #sampleRtt(rtt: number): void {
    this.#leastRtt = Math.min(this.#leastRtt, rtt);
    if (this.#srtt === 0) {
      this.#srtt = rtt;
      this.#mdev = Math.floor(rtt / 2);
      return;
    }
    const off = Math.abs(rtt - this.#srtt);
    this.#mdev += Math.floor(off / 4) - Math.floor(this.#mdev / 4);
    this.#srtt += Math.floor(rtt / 8) - Math.floor(this.#srtt / 8);
  }

  // --- losses ---

  #findLosses(t: number): { wait: number; lost: number } {
    const sure = this.#state !== "open" || this.segments.filter((s) => s.sacked).length >= 3;
    const least = this.#leastRtt === Infinity ? 0 : Math.floor(this.#leastRtt / 4);
    const age = this.#rack.rtt + (sure ? 0 : Math.min(least, this.#srtt));
    let wait = 0;
    let lost = 0;
    for (const again of [false, true]) {
      const judged = this.segments
        .filter((s) => !s.sacked && s.again === again && (again || !s.lost) && s.sentAt < this.#rack.sentAt)
        .sort((a, b) => a.sentAt - b.sentAt);
      for (const s of judged) {
        if (t - s.sentAt < age) {
          wait = Math.max(wait, age - (t - s.sentAt));
          break;
        }
        s.lost = true;
        s.again = false;
        lost++;
      }
    }
    return { wait, lost };
  }

  #recover(): void {
    this.growth.beginRecovery();
    this.#state = "recovery";
    this.#highSeq = this.next;
  }

  // --- timers ---

  #setTimer(t: number): void {
    this.#timer = "off";
    this.timerAt = Infinity;
    if (this.segments.length === 0) return;
    this.#timer = "rto";
    this.timerAt = t + this.timeout();
    const sacked = this.segments.some((s) => s.sacked);
    if (this.#state !== "open" || sacked || this.#srtt === 0 || this.#probeEnd !== null) return;
    const probe = t + 2 * this.#srtt + (this.segments.length === 1 ? 200 : 2) * MS;
    if (probe >= this.timerAt) return;
    this.#timer = "probe";
    this.timerAt = probe;
  }

  #waitFor(wait: number, t: number): void {
    if (wait === 0) return;
    this.#timer = "reorder";
    this.timerAt = t + wait + 2 * MS;
  }

  timerRan(t: number): void {
    const kind = this.#timer;
    this.#timer = "off";
    this.timerAt = Infinity;
    if (kind === "probe") {
      if (!this.segments.some((s) => s.sacked)) {
        this.#probeEnd = this.next;
        this.probeDue = true;
      }
      this.#setTimer(t);
    } else if (kind === "reorder") {
      const { wait } = this.#findLosses(t);
      if (this.#state === "open" && this.segments.some((s) => s.lost)) {
        this.#recover();
        this.growth.reduce(1, false, this.inFlight);
      }
      this.#setTimer(t);
      this.#waitFor(wait, t);
    } else this.#expire(t);
  }

  #expire(t: number): void {
    this.growth.timeout(this.#state !== "loss");
    for (const s of this.segments) if (!s.sacked) Object.assign(s, { lost: true, again: false });
    this.#state = "loss";
    this.#highSeq = this.next;
    this.#backoff++;
    this.#probeEnd = null;
    this.#timer = "rto";
    this.timerAt = t + this.timeout();
  }

  // --- sending ---

  /** After an ACK: new segments that may go before the next one. */
  release(room: number, t: number): void {
    const open = Math.max(0, Math.min((this.growth.cwnd - this.inFlight) * this.#mss, room));
    const whole = Math.floor(open / this.#mss);
    if (whole > 0) this.#edge = true;
    if (this.#state !== "open" || this.segments.length === 0 || this.#srtt === 0) {
      this.burst = whole;
      return;
    }
    if (this.burst >= whole) return;
    const { cwnd, ssthresh } = this.growth;
    const half = ssthresh === Infinity ? 0x3fffffff : Math.floor(ssthresh / 2);
    const ratio = BigInt(cwnd < half ? 10 : 6);
    const srttNs = BigInt(Math.floor(this.#srtt / NS));
    let packet = Number((BigInt(cwnd * this.#mss) * ratio * 976_562n) / (5n * srttNs));
    const shift = Math.floor(this.#leastRtt / (512_000 * NS));
    if (shift < 17) packet += Math.floor(PIECE_BYTES / 2 ** shift);
    packet = Math.max(Math.floor(Math.min(packet, PIECE_BYTES) / this.#mss), 2);
    const second = this.segments[1] ?? this.segments[0]!;
    const due =
      whole >= packet ||
      open >= this.#piece - (this.next % this.#piece) ||
      open >= Math.floor(Math.min(this.right - this.una, cwnd * this.#mss) / 3) ||
      t - this.lastSentAt > MS ||
      t - second.sentAt < Math.floor(this.#srtt / 2);
    if (due) this.burst = whole;
  }

  get #piece(): number {
    return Math.max(Math.floor(PIECE_BYTES / this.#mss), 1) * this.#mss;
  }

  #stopped(byWindow: boolean): void {
    if (this.una < this.#limitedUntil && !byWindow && this.growth.limited) return;
    this.growth.limited = byWindow;
    this.growth.mostOut = this.segments.length;
    this.#limitedUntil = this.next;
  }

  /** What may go now: "again", bytes of a new segment, or 0. */
  choose(left: number, room: number, fits: boolean): "again" | number {
    const open = this.inFlight < this.growth.cwnd || this.probeDue;
    const last = this.segments.at(-1);
    if (this.#waiting !== undefined) {
      if (!open) this.#stopped(true);
      return open ? "again" : 0;
    }
    const probe = (): "again" | 0 => {
      if (this.probeDue && last !== undefined && !last.sacked && !last.again) return "again";
      this.probeDue = false;
      return 0;
    };
    if (left === 0) {
      this.#stopped(false);
      return probe();
    }
    if (!open || !fits) {
      this.#stopped(true);
      return 0;
    }
    const want = Math.min(left, this.#mss);
    if (room >= want) {
      const held = this.burst === 0 && this.#state === "open" && !this.probeDue && last !== undefined;
      const most = Math.min(room, (this.growth.cwnd - this.inFlight) * this.#mss);
      if (!held || left <= most) return want;
      this.#stopped(true);
      return 0;
    }
    const midst = this.#edge && this.una >= this.#smallEnd && this.next % this.#piece !== 0;
    if (room > 0 && (last === undefined || midst)) return room;
    if (this.probeDue && probe() === "again") return "again";
    this.#stopped(false);
    return 0;
  }

  sendAgain(t: number): Segment {
    const s = this.#waiting ?? this.segments.at(-1)!;
    s.sentAt = t;
    s.again = true;
    s.ever = true;
    this.probeDue = false;
    this.lastSentAt = t;
    if (this.#state === "recovery") this.growth.prrOut++;
    if (s === this.segments[0] && this.#timer !== "reorder") {
      this.#timer = "rto";
      this.timerAt = t + this.timeout();
    }
    return s;
  }

  sendNew(bytes: number, data: number, t: number): Segment {
    const idle = this.segments.length === 0;
    if (idle) {
      const limit = this.timeout();
      if (this.lastSentAt !== 0 && t - this.lastSentAt > limit) this.growth.idle(t - this.lastSentAt, limit);
      this.burst = this.growth.cwnd;
    }
    this.burst = Math.max(0, this.burst - 1);
    this.next += bytes;
    if (bytes < this.#mss) {
      this.#smallEnd = this.next;
      this.#edge = false;
    }
    const flags = { sacked: false, lost: false, again: false, ever: false };
    const s: Segment = { end: this.next, bytes, data, sentAt: t, ...flags };
    this.segments.push(s);
    this.probeDue = false;
    this.lastSentAt = t;
    if (this.#state === "recovery") this.growth.prrOut++;
    this.growth.mostOut = Math.max(this.growth.mostOut, this.segments.length);
    if (idle || this.#timer === "probe") this.#setTimer(t);
    return s;
  }
}

interface Port {
  freeAt: number;
  carry: number;
  turn: number;
  assigned: number;
  way: Way;
  arriving: Flying[];
  senders: Sender[];
  receivers: Receiver[];
}

/** Both ports of a link. */
export class LossyLink {
  readonly frames: LossyFrame[] = [];
  readonly #g: readonly number[];
  readonly #mss: number;
  readonly #ports: [Port, Port];

  constructor(g: readonly number[]) {
    this.#g = g;
    this.#mss = g[abi.G_NET_MTU]! - g[abi.G_NET_HEADERS]!;
    const streams = g[abi.G_NET_STREAMS]!;
    const cubic = g[abi.G_NET_CONGESTION]! === abi.CONGESTION_CUBIC;
    const port = (side: number): Port => {
      const receivers = Array.from({ length: streams }, () => new Receiver(g, side));
      const peers = Array.from({ length: streams }, () => new Receiver(g, 1 - side));
      return {
        freeAt: 0,
        carry: 0,
        turn: 0,
        assigned: 0,
        way: new Way(g, side),
        arriving: [],
        senders: peers.map((peer) => new Sender(this.#mss, cubic, peer.advertised)),
        receivers,
      };
    };
    this.#ports = [port(0), port(1)];
  }

  /** Runs until a time. */
  run(until: number): LossyFrame[] {
    for (let t = 0; t <= until; t = this.#nextTime(t)) {
      for (const side of [0, 1]) this.#receive(side, t);
      for (const side of [0, 1]) this.#transmit(side, t);
    }
    return this.frames;
  }

  #nextTime(t: number): number {
    let next = Infinity;
    const maybe = (at: number | undefined): void => {
      if (at !== undefined && at > t) next = Math.min(next, at);
    };
    for (const port of this.#ports) {
      maybe(port.freeAt);
      maybe(port.arriving[0]?.arriveAt);
      for (const { timerAt } of port.senders) maybe(timerAt);
      for (const { ackAt } of port.receivers) maybe(ackAt);
    }
    return next;
  }

  #room(s: Sender): number {
    const cap = this.#g[abi.G_NET_FLIGHT]!;
    const limit = cap === 0 ? s.right : Math.min(s.right, s.una + cap);
    return Math.max(0, limit - s.next);
  }

  #receive(side: number, t: number): void {
    const port = this.#ports[side]!;
    const total = side === 1 ? this.#g[abi.G_LINK_BYTES]! : 0;
    while (port.arriving.length > 0 && port.arriving[0]!.arriveAt <= t) {
      const f = port.arriving.shift()!;
      const i = f.index - port.senders.length;
      const sender = port.senders[i]!;
      sender.acknowledge(f, t);
      sender.release(this.#room(sender), t);
      if (f.bytes === 0) continue;
      port.receivers[i]!.take(f.end - f.bytes, f.end, t, () => {
        const got = port.receivers.reduce((sum, r) => sum + r.got, 0);
        return got === total;
      });
    }
  }

  #transmit(side: number, t: number): void {
    const port = this.#ports[side]!;
    for (const s of port.senders) if (s.timerAt <= t) s.timerRan(t);
    if (port.freeAt > t) return;
    const urgent = port.receivers.findIndex((r) => r.urgent);
    if (urgent >= 0) return this.#frame(side, urgent, null, t);
    const left = (side === 0 ? this.#g[abi.G_LINK_BYTES]! : 0) - port.assigned;
    for (let k = 0; k < port.senders.length; k++) {
      const i = (port.turn + k) % port.senders.length;
      const sender = port.senders[i]!;
      const what = sender.choose(
        left,
        this.#room(sender),
        sender.segments.length < this.#g[abi.G_NET_SEGMENTS]!,
      );
      if (what === 0) continue;
      const segment = what === "again" ? sender.sendAgain(t) : sender.sendNew(what, port.assigned, t);
      if (what !== "again") port.assigned += what;
      port.turn = (i + 1) % port.senders.length;
      return this.#frame(side, i, segment, t);
    }
    const due = port.receivers.findIndex((r) => r.ackAt <= t || r.updateDue());
    if (due >= 0) this.#frame(side, due, null, t);
  }

  #frame(side: number, i: number, segment: Segment | null, t: number): void {
    const g = this.#g;
    const port = this.#ports[side]!;
    const { blocks, acknowledged, rightEdge } = port.receivers[i]!.tell(segment === null);
    const bytes = segment?.bytes ?? 0;
    const options = blocks.length === 0 ? 0 : 4 + 8 * blocks.length;
    const packet = g[abi.G_NET_FRAMING]! + g[abi.G_NET_HEADERS]! + bytes + options;
    const wire = g[abi.G_NET_OUTSIDE]! + Math.max(packet, g[abi.G_NET_FRAME_MIN]!);
    const ticks = wire * g[abi.G_NET_TICKS_NUM]! + port.carry;
    port.carry = ticks % g[abi.G_NET_TICKS_DEN]!;
    port.freeAt = t + (ticks - port.carry) / g[abi.G_NET_TICKS_DEN]!;
    const frame = { side, index: i + port.senders.length, startAt: t, bytes, acknowledged, rightEdge };
    this.frames.push(frame);
    const arriveAt = port.way.send(wire, port.freeAt);
    if (arriveAt === null) return;
    const { end = 0, data = 0 } = segment ?? {};
    this.#ports[1 - side]!.arriving.push({ ...frame, end, data, blocks, arriveAt });
  }
}
