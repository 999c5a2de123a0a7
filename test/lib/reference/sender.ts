// SPDX-License-Identifier: Apache-2.0
/** The sending end of a connection, slowly: docs/model.md section 6, RFC 6298, 6675, 8985. */
import { Boundless, Growth } from "./growth.ts";
import type { Span } from "./receiver.ts";

const MS = 1_024_000_000_000;
const NS = 1_024_000;
const PIECE_BYTES = 65_215;

/** What a frame tells the other end: bytes in order, right edge, blocks beyond holes. */
export interface Acknowledgement {
  acknowledged: number;
  rightEdge: number;
  blocks: Span[];
}

export interface Segment {
  end: number;
  bytes: number;
  data: number;
  sentAt: number;
  sacked: boolean;
  lost: boolean;
  again: boolean;
  ever: boolean;
}

/** The sending end of a connection. */
export class Sender {
  readonly growth: Growth;
  segments: Segment[] = [];
  next = 0;
  una = 0;
  right: number;
  probeDue = false;
  timerAt = Infinity;
  burst = 0;
  /** Datagrams found lost; those that the firmware has decided on, all at once where it takes no time. */
  found = 0;
  decided = 0;
  decides = false;
  lastSentAt = 0;
  #mss: number;
  readonly #udp: boolean;
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

  readonly #putsOff: boolean;

  /** A sender of a control that sees `right` at first; `udp` is one whose firmware recovers. */
  constructor(mss: number, control: "reno" | "cubic" | "udp", right: number, putsOff: boolean) {
    this.#putsOff = putsOff && control !== "udp";
    this.#mss = mss;
    this.#udp = control === "udp";
    this.growth = this.#udp ? new Boundless() : new Growth(control === "cubic");
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
    const [first, least, most] = this.#udp ? [100, 1, 100] : [1000, 200, 120_000];
    const plain = this.#srtt === 0 ? first * MS : this.#srtt + Math.max(4 * this.#mdev, least * MS);
    return Math.min(plain * 2 ** Math.min(this.#backoff, 16), most * MS);
  }

  // --- acknowledgements ---

  acknowledge(f: Acknowledgement, t: number): void {
    const told = { delivered: 0, first: 0, last: 0, sacked: 0, lost: 0, moved: false };
    for (const block of f.blocks) this.#sack(block, told, t);
    this.right = Math.max(this.right, f.rightEdge);
    const advanced = f.acknowledged > this.una;
    if (advanced) this.#cumulative(f.acknowledged, told, t);
    if (told.delivered === 0 && !advanced) return;
    const rtt = told.first || told.sacked;
    if (rtt > 0) this.#sampleRtt(rtt);
    const judge = this.#state !== "open" || this.segments.some((s) => s.sacked || s.again);
    if (this.#state !== "open" && this.una >= this.#highSeq) {
      if (this.#state === "recovery") this.growth.cwnd = this.growth.ssthresh;
      this.#state = "open";
    }
    const found = judge ? this.#findLosses(t) : { wait: 0, lost: 0 };
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
        this.#lose();
        lost++;
      }
    }
    return { wait, lost };
  }

  #lose(): void {
    this.found++;
    if (!this.decides) this.decided++;
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
    for (const s of this.segments.filter(({ sacked }) => !sacked)) {
      if (!s.lost || s.again) this.#lose();
      Object.assign(s, { lost: true, again: false });
    }
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
    if (!this.#putsOff || this.#state !== "open" || this.segments.length === 0 || this.#srtt === 0) {
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

  /** The largest packet of segmentation offload: 64 KiB. */
  get #piece(): number {
    return Math.max(Math.floor(PIECE_BYTES / this.#mss), 1) * this.#mss;
  }

  /** Nothing of the burst is left, or a packet has just ended. */
  get burstOver(): boolean {
    return this.burst === 0 || this.next % this.#piece === 0;
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
    const lost = this.segments.filter((s) => s.lost && !s.again && !s.sacked).length;
    if (lost > this.found - this.decided) {
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
      this.growth.resume(this.lastSentAt, t);
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
