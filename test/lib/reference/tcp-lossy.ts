// SPDX-License-Identifier: Apache-2.0
/**
 * Connections over a path that loses, slowly and one frame at a time: docs/model.md section 6 and the RFCs it
 * names. Of a link alone, or of a migration whose cards append and take what they are told to.
 */
import * as abi from "../../../assembly/abi.ts";
import type { DatagramWork } from "./datagrams.ts";
import { Receiver } from "./receiver.ts";
import { type Acknowledgement, type Segment, Sender } from "./sender.ts";

/** What a side's firmware does for datagrams. */
export type Work = DatagramWork<Flying>;

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

export interface Flying extends Acknowledgement {
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
    const downAt = g[abi.G_NET_DOWN_AT]!;
    if (at >= downAt && at < downAt + g[abi.G_NET_DOWN_FOR]!) return null;
    if (mix(this.#seed, number) < this.#loss) return null;
    at += g[abi.G_NET_PROPAGATION]! - hop;
    const jitter = BigInt(g[abi.G_NET_JITTER]!);
    at += Number((BigInt(mix(this.#seed ^ 0x5bd1e995, number)) * jitter) >> 32n);
    this.#lastAt = Math.max(this.#lastAt, at);
    return this.#lastAt;
  }
}

/** The cards' side of the data links. */
export interface Feed {
  /** Bytes of a link that a side's wire sees by t. */
  visible(side: number, link: number, t: number): number;
  /** Bytes of a link that a side has taken out by t; null of a sink. */
  taken(side: number, link: number, t: number): number | null;
  /** The first time after t at which any of them changes. */
  nextAt(t: number): number;
}

const LINK_B = 1;
const CONTROLS = new Map<number, "reno" | "cubic" | "udp">([
  [abi.CONGESTION_RENO, "reno"],
  [abi.CONGESTION_CUBIC, "cubic"],
  [abi.CONGESTION_FIRMWARE, "udp"],
]);

/** A link alone: side 0 has bytes for data link B from the start, side 1 is a sink. */
const alone = (g: readonly number[]): Feed => ({
  visible: (side, link) => (side === 0 && link === LINK_B ? g[abi.G_LINK_BYTES]! : 0),
  taken: () => null,
  nextAt: () => Infinity,
});

/** A data link at its port. */
interface Ends {
  turn: number;
  assigned: number;
  wireBytes: number;
  senders: Sender[];
  receivers: Receiver[];
}

interface Port {
  freeAt: number;
  carry: number;
  capAt: number;
  capCarry: number;
  way: Way;
  arriving: Flying[];
  links: [Ends, Ends];
  /** Of both links, A first. */
  senders: Sender[];
  receivers: Receiver[];
}

/** What a connection of a link may send now. */
interface Ready {
  link: number;
  i: number;
  what: "again" | number;
}

/** Both ports of a link. */
export class LossyLink {
  readonly frames: LossyFrame[] = [];
  readonly #g: readonly number[];
  readonly #feed: Feed;
  readonly #ports: [Port, Port];
  readonly #work: readonly Work[];

  /** `work` is what each side's firmware does for datagrams, of none where the ports do it in no time. */
  constructor(g: readonly number[], feed = alone(g), work: readonly Work[] = []) {
    this.#work = work;
    this.#g = g;
    this.#feed = feed;
    this.#ports = [this.#port(0), this.#port(1)];
  }

  #port(side: number): Port {
    const g = this.#g;
    const streams = g[abi.G_NET_STREAMS]!;
    const mss = g[abi.G_NET_MTU]! - g[abi.G_NET_HEADERS]!;
    const control = CONTROLS.get(g[abi.G_NET_CONGESTION]!)!;
    const ends = (): Ends => {
      const receivers = Array.from({ length: streams }, () => new Receiver(g, side));
      const tuned = g[abi.G_NET_TUNED] !== 0;
      const peers = Array.from({ length: streams }, () => new Receiver(g, 1 - side));
      const senders = peers.map((peer) => new Sender(mss, control, peer.advertised, tuned));
      return { turn: 0, assigned: 0, wireBytes: 0, senders, receivers };
    };
    const links: [Ends, Ends] = [ends(), ends()];
    const senders = links.flatMap((one) => one.senders);
    for (const s of senders) s.decides = this.#work[side]?.decides ?? false;
    const receivers = links.flatMap((one) => one.receivers);
    const empty = { freeAt: 0, carry: 0, capAt: 0, capCarry: 0, arriving: [] };
    return { ...empty, way: new Way(g, side), links, senders, receivers };
  }

  /** Runs until a time. */
  run(until: number): LossyFrame[] {
    for (let t = 0; t <= until; t = this.#nextTime(t)) {
      for (const side of [0, 1]) this.#receive(side, t);
      for (const side of [0, 1]) this.#transmit(side, t);
      for (const [side, work] of this.#work.entries())
        work.step(t, this.#ports[side]!.senders, (frame, at) => this.#told(side, frame, at));
    }
    return this.frames;
  }

  #nextTime(t: number): number {
    let next = this.#feed.nextAt(t);
    const maybe = (at: number | undefined): void => {
      if (at !== undefined && at > t) next = Math.min(next, at);
    };
    for (const work of this.#work) maybe(work.nextAt(t));
    for (const port of this.#ports) {
      maybe(port.freeAt);
      maybe(port.way.switch?.standsUntil(t) ?? undefined);
      maybe(port.capAt);
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
    while (port.arriving.length > 0 && port.arriving[0]!.arriveAt <= t) {
      const f = port.arriving.shift()!;
      const { link, i, ends } = this.#connection(port, f.index);
      if (f.bytes === 0 && this.#work[side]?.takes(f)) continue;
      this.#told(side, f, t);
      if (f.bytes === 0) continue;
      ends.receivers[i]!.take(f.end - f.bytes, f.end, t, () => {
        if (this.#feed.taken(side, link, t) !== null) return false;
        const got = ends.receivers.reduce((sum, r) => sum + r.got, 0);
        return got === this.#feed.visible(1 - side, link, t);
      });
    }
    for (const [link, { receivers }] of port.links.entries()) {
      const taken = this.#feed.taken(side, link, t);
      for (const r of receivers) r.untaken = taken === null ? null : r.received - taken;
    }
  }

  /** What a frame tells the sender acts. */
  #told(side: number, f: Flying, t: number): void {
    const { i, ends } = this.#connection(this.#ports[side]!, f.index);
    const sender = ends.senders[i]!;
    sender.acknowledge(f, t);
    sender.release(this.#room(sender), t);
  }

  #connection(port: Port, index: number): { link: number; i: number; ends: Ends } {
    const streams = port.links[0].senders.length;
    const link = Math.floor(index / streams);
    return { link, i: index % streams, ends: port.links[link]! };
  }

  #transmit(side: number, t: number): void {
    const port = this.#ports[side]!;
    const { senders, receivers } = port;
    for (const s of senders) if (s.timerAt <= t) s.timerRan(t);
    if (port.freeAt > t) return;
    if (port.way.switch !== null && port.way.switch.standsUntil(t) !== null) return;
    const urgent = receivers.findIndex((r) => r.urgent);
    if (urgent >= 0) {
      this.#frame(side, urgent, null, t);
      return;
    }
    const ready = [0, 1].map((link) => this.#ready(side, link, t)).filter((one) => one !== null);
    if (ready.length > 0 && port.capAt <= t) {
      this.#data(
        side,
        ready.length === 1 ? this.#uncontested(port, ready[0]!) : ready[this.#favoured(port)]!,
        t,
      );
      return;
    }
    const due = receivers.findIndex((r) => r.ackAt <= t || r.updateDue());
    if (due >= 0) this.#frame(side, due, null, t);
  }

  /** The connection of a link that may send, in turn. */
  #ready(side: number, link: number, t: number): Ready | null {
    const { senders, turn, assigned } = this.#ports[side]!.links[link]!;
    const left = this.#feed.visible(side, link, t) - assigned;
    for (let k = 0; k < senders.length; k++) {
      const i = (turn + k) % senders.length;
      const sender = senders[i]!;
      const fits = sender.segments.length < this.#g[abi.G_NET_SEGMENTS]!;
      const what = sender.choose(left, this.#room(sender), fits);
      if (what !== 0) return { link, i, what };
    }
    return null;
  }

  /** Which link goes when both could: A, or the one with the smaller wire bytes x weight of the other. */
  #favoured(port: Port): number {
    const [a, b] = [this.#g[abi.G_NET_WEIGHT_A]!, this.#g[abi.G_NET_WEIGHT_B]!];
    if (a === 0) return 0;
    return port.links[0].wireBytes * b <= port.links[1].wireBytes * a ? 0 : 1;
  }

  /** The other link cannot send: it earns no claim beyond its fair share. */
  #uncontested(port: Port, ready: Ready): Ready {
    const weights = [this.#g[abi.G_NET_WEIGHT_A]!, this.#g[abi.G_NET_WEIGHT_B]!];
    if (weights[0] === 0) return ready;
    const other = port.links[1 - ready.link]!;
    const share = port.links[ready.link]!.wireBytes * weights[1 - ready.link]!;
    other.wireBytes = Math.max(other.wireBytes, Math.floor(share / weights[ready.link]!));
    return ready;
  }

  #data(side: number, { link, i, what }: Ready, t: number): void {
    const ends = this.#ports[side]!.links[link]!;
    const sender = ends.senders[i]!;
    const segment = what === "again" ? sender.sendAgain(t) : sender.sendNew(what, ends.assigned, t);
    if (what !== "again") ends.assigned += what;
    ends.turn = (i + (sender.burstOver ? 1 : 0)) % ends.senders.length;
    this.#frame(side, link * ends.senders.length + i, segment, t);
  }

  #frame(side: number, index: number, segment: Segment | null, t: number): void {
    const g = this.#g;
    const port = this.#ports[side]!;
    const { i, ends } = this.#connection(port, index);
    const { blocks, acknowledged, rightEdge } = ends.receivers[i]!.tell(segment === null);
    const bytes = segment?.bytes ?? 0;
    const options = blocks.length === 0 ? 0 : 4 + 8 * blocks.length;
    const packet = g[abi.G_NET_FRAMING]! + g[abi.G_NET_HEADERS]! + bytes + options;
    const wire = g[abi.G_NET_OUTSIDE]! + Math.max(packet, g[abi.G_NET_FRAME_MIN]!);
    ends.wireBytes += wire;
    const ticks = wire * g[abi.G_NET_TICKS_NUM]! + port.carry;
    port.carry = ticks % g[abi.G_NET_TICKS_DEN]!;
    port.freeAt = t + (ticks - port.carry) / g[abi.G_NET_TICKS_DEN]!;
    if (segment !== null && g[abi.G_NET_CAP_NUM]! > 0) {
      const capTicks = wire * g[abi.G_NET_CAP_NUM]! + port.capCarry;
      port.capCarry = capTicks % g[abi.G_NET_CAP_DEN]!;
      port.capAt = t + (capTicks - port.capCarry) / g[abi.G_NET_CAP_DEN]!;
    }
    const arriveAt = port.way.send(wire, port.freeAt);
    const frame = { side, index, startAt: t, bytes, acknowledged, rightEdge };
    this.frames.push({ ...frame, arriveAt });
    if (arriveAt === null) return;
    const { end = 0, data = 0 } = segment ?? {};
    this.#ports[1 - side]!.arriving.push({ ...frame, end, data, blocks, arriveAt });
  }
}
