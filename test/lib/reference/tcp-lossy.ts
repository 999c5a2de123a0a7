// SPDX-License-Identifier: Apache-2.0
/**
 * Connections over a path that loses, slowly and one frame at a time: docs/model.md section 6 and the RFCs it
 * names. A link alone: side 0 has bytes for data link B from the start, side 1 takes what it receives.
 */
import * as abi from "../../../assembly/abi.ts";
import { Receiver } from "./receiver.ts";
import { type Acknowledgement, type Segment, Sender } from "./sender.ts";

/** A frame of a link; times in ticks, `data` bytes up to `end` of its connection. */
export interface LossyFrame {
  side: number;
  index: number;
  startAt: number;
  bytes: number;
  acknowledged: number;
  rightEdge: number;
  /** Null for a frame that is dropped or lost. */
  arriveAt: number | null;
}

interface Flying extends Acknowledgement {
  index: number;
  bytes: number;
  end: number;
  data: number;
  arriveAt: number;
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

/** A PAUSE frame, or one that lets the port go on, with the time at which the port has it. */
interface Order {
  stop: boolean;
  at: number;
}

/** A switch that stops the port which feeds its queue: docs/model.md section 6. */
class Switch {
  readonly #g: readonly number[];
  readonly #orders: Order[] = [];
  /** When the queue has fallen to the low mark, if nothing else comes; null while the port may send. */
  #fallen: number | null = null;

  constructor(g: readonly number[]) {
    this.#g = g;
  }

  /** Of so many bytes at the bottleneck: the longest whole time that is no more. */
  #time(bytes: number): number {
    return Math.floor((bytes * this.#g[abi.G_NET_QUEUE_NUM]!) / this.#g[abi.G_NET_QUEUE_DEN]!);
  }

  /** From an order to its effect: preamble, 64 bytes and gap at the rate of the port, and a hop. */
  get #late(): number {
    const bytes = 64 + this.#g[abi.G_NET_OUTSIDE]!;
    const ticks = (bytes * this.#g[abi.G_NET_TICKS_NUM]!) / this.#g[abi.G_NET_TICKS_DEN]!;
    return Math.ceil(ticks) + this.#g[abi.G_NET_PAUSE_HOP]!;
  }

  /** Tells of the time before a frame reaches the queue at t. */
  until(t: number): void {
    if (this.#fallen === null || this.#fallen >= t) return;
    this.#orders.push({ stop: false, at: this.#fallen + this.#late });
    this.#fallen = null;
  }

  /** A frame has joined at t; the last byte of the queue leaves at `empty`. */
  joined(t: number, empty: number): void {
    const waits = (empty - t) * this.#g[abi.G_NET_QUEUE_DEN]!;
    const passed = waits > this.#g[abi.G_NET_PAUSE_HIGH]! * this.#g[abi.G_NET_QUEUE_NUM]!;
    if (this.#fallen === null && !passed) return;
    if (this.#fallen === null) this.#orders.push({ stop: true, at: t + this.#late });
    this.#fallen = empty - this.#time(this.#g[abi.G_NET_PAUSE_LOW]!);
  }

  /** When a port that stands still at t goes on; null when it does not stand still. */
  standsUntil(t: number): number | null {
    const orders = [...this.#orders];
    if (this.#fallen !== null) orders.push({ stop: false, at: this.#fallen + this.#late });
    const last = orders.findLast(({ at }) => at <= t);
    if (last === undefined || !last.stop) return null;
    return orders[orders.indexOf(last) + 1]!.at;
  }
}

/** The way of one side's frames behind its port. */
class Way {
  readonly #g: readonly number[];
  readonly #seed: number;
  readonly #loss: number;
  /** Null where nothing stops the port. */
  readonly switch: Switch | null;
  #freeAt = 0;
  #carry = 0;
  #number = 0;
  #lastAt = 0;

  constructor(g: readonly number[], side: number) {
    this.#g = g;
    this.#seed = mix(g[abi.G_SEED]!, 0x7c90 + side);
    this.#loss = g[abi.G_NET_LOSS + side]!;
    this.switch = g[abi.G_NET_PAUSE_HIGH]! > 0 ? new Switch(g) : null;
  }

  /** When a frame that leaves the port at t arrives; null when it does not. */
  send(wireBytes: number, left: number): number | null {
    const g = this.#g;
    const hop = this.switch === null ? 0 : g[abi.G_NET_PAUSE_HOP]!;
    const t = left + hop;
    this.switch?.until(t);
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
      this.switch?.joined(t, at);
    }
    if (mix(this.#seed, number) < this.#loss) return null;
    at += g[abi.G_NET_PROPAGATION]! - hop;
    const jitter = BigInt(g[abi.G_NET_JITTER]!);
    at += Number((BigInt(mix(this.#seed ^ 0x5bd1e995, number)) * jitter) >> 32n);
    this.#lastAt = Math.max(this.#lastAt, at);
    return this.#lastAt;
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
      const tuned = g[abi.G_NET_TUNED] !== 0;
      const peers = Array.from({ length: streams }, () => new Receiver(g, 1 - side));
      return {
        freeAt: 0,
        carry: 0,
        turn: 0,
        assigned: 0,
        way: new Way(g, side),
        arriving: [],
        senders: peers.map((peer) => new Sender(this.#mss, cubic, peer.advertised, tuned)),
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
      maybe(port.way.switch?.standsUntil(t) ?? undefined);
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
    if (port.way.switch !== null && port.way.switch.standsUntil(t) !== null) return;
    const urgent = port.receivers.findIndex((r) => r.urgent);
    if (urgent >= 0) {
      this.#frame(side, urgent, null, t);
      return;
    }
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
      port.turn = (i + (sender.burstOver ? 1 : 0)) % port.senders.length;
      this.#frame(side, i, segment, t);
      return;
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
    const arriveAt = port.way.send(wire, port.freeAt);
    const frame = { side, index: i + port.senders.length, startAt: t, bytes, acknowledged, rightEdge };
    this.frames.push({ ...frame, arriveAt });
    if (arriveAt === null) return;
    const { end = 0, data = 0 } = segment ?? {};
    this.#ports[1 - side]!.arriving.push({ ...frame, end, data, blocks, arriveAt });
  }
}
