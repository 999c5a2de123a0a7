// SPDX-License-Identifier: Apache-2.0
/**
 * Both data links between two cards, slowly: docs/model.md section 6, and nothing else.
 *
 * In: what each card appends to its send streams and takes out of its receive streams. Out: every frame. A
 * side and a link name the end of a connection; link 0 is A (device state), link 1 is B (pages).
 */
import * as abi from "../../../assembly/abi.ts";

/** Bytes that an end of a link appends or takes, and from when on the wire sees it. */
export interface StreamEvent {
  side: number;
  link: number;
  at: number;
  bytes: number;
}

export interface Frame {
  /** The sender's side. */
  side: number;
  link: number;
  startAt: number;
  arriveAt: number;
  payloadBytes: number;
  /** Acknowledgement and right edge: offsets in the stream the other way. */
  acknowledged: number;
  rightEdge: number;
}

const LINKS = [0, 1];
const FIRST_SEGMENTS = 10;
/** What a SYN can say of a window: 16 bits, not scaled. Side 0 opens the connections. */
const SYN_WINDOW = 65535;
const HEADER_BYTES = 52;

/** One end of a connection. Byte counts are offsets in its streams. */
interface End {
  link: number;
  appends: StreamEvent[];
  takes: StreamEvent[];
  /** Send stream. */
  visible: number;
  sent: number;
  una: number;
  cwnd: number;
  rightEdge: number;
  wireBytes: number;
  /** Receive stream. */
  received: number;
  taken: number;
  acknowledged: number;
  advertised: number;
  timerAt: number;
}

interface Side {
  ends: [End, End];
  freeAt: number;
  remainder: number;
  capAt: number;
  capRemainder: number;
  arriving: Frame[];
}

/** Bytes of a frame on the wire: preamble and gap around a frame of header, packet and FCS, padded. */
export function frameBytes(g: readonly number[], payloadBytes: number): number {
  const frame = g[abi.G_NET_FRAMING]! + HEADER_BYTES + payloadBytes;
  return g[abi.G_NET_OUTSIDE]! + Math.max(frame, g[abi.G_NET_FRAME_MIN]!);
}

/** Predicts every frame of both sides, in order of their start (of equal ones side 0 first). */
export function predictTcp(g: readonly number[], appends: StreamEvent[], takes: StreamEvent[]): Frame[] {
  return new Links(g, appends, takes).run();
}

class Links {
  readonly #g: readonly number[];
  readonly #mss: number;
  readonly #window: number;
  readonly #sides: [Side, Side];
  readonly #frames: Frame[] = [];

  constructor(g: readonly number[], appends: StreamEvent[], takes: StreamEvent[]) {
    this.#g = g;
    this.#mss = g[abi.G_NET_MTU]! - HEADER_BYTES;
    this.#window = g[abi.G_NET_WINDOW]!;
    const end = (side: number, link: number): End => ({
      link,
      appends: appends.filter((e) => e.side === side && e.link === link),
      takes: takes.filter((e) => e.side === side && e.link === link),
      visible: 0,
      sent: 0,
      una: 0,
      cwnd: Math.min(FIRST_SEGMENTS * this.#mss, this.#window),
      rightEdge: side === 0 ? Math.min(this.#window, SYN_WINDOW) : this.#window,
      wireBytes: 0,
      received: 0,
      taken: 0,
      acknowledged: 0,
      advertised: side === 1 ? Math.min(this.#window, SYN_WINDOW) : this.#window,
      timerAt: Infinity,
    });
    const side = (i: number): Side => ({
      ends: [end(i, 0), end(i, 1)],
      freeAt: 0,
      remainder: 0,
      capAt: 0,
      capRemainder: 0,
      arriving: [],
    });
    this.#sides = [side(0), side(1)];
  }

  run(): Frame[] {
    for (let t = 0; t < Infinity; t = this.#nextTime(t)) {
      for (const side of this.#sides) this.#receive(side, t);
      for (const i of [0, 1]) this.#transmit(i, t);
    }
    return this.#frames;
  }

  /** The first time after t at which anything can be different. */
  #nextTime(t: number): number {
    let next = Infinity;
    const maybe = (at: number | undefined): void => {
      if (at !== undefined && at > t && at < next) next = at;
    };
    for (const side of this.#sides) {
      maybe(side.freeAt);
      maybe(side.capAt);
      maybe(side.arriving[0]?.arriveAt);
      for (const end of side.ends) {
        maybe(end.appends[0]?.at);
        maybe(end.takes[0]?.at);
        maybe(end.timerAt);
      }
    }
    return next;
  }

  /** Everything that has arrived, been appended and been taken by t. */
  #receive(side: Side, t: number): void {
    while (side.arriving.length > 0 && side.arriving[0]!.arriveAt <= t) {
      const frame = side.arriving.shift()!;
      const end = side.ends[frame.link]!;
      const rise = Math.max(0, frame.acknowledged - end.una);
      end.una += rise;
      end.cwnd = Math.min(this.#window, end.cwnd + rise);
      end.rightEdge = Math.max(end.rightEdge, frame.rightEdge);
      end.received += frame.payloadBytes;
      if (frame.payloadBytes > 0 && end.timerAt === Infinity) {
        end.timerAt = frame.arriveAt + this.#g[abi.G_NET_DELACK]!;
      }
    }
    for (const end of side.ends) {
      while (end.appends.length > 0 && end.appends[0]!.at <= t) end.visible += end.appends.shift()!.bytes;
      while (end.takes.length > 0 && end.takes[0]!.at <= t) end.taken += end.takes.shift()!.bytes;
    }
  }

  #transmit(which: number, t: number): void {
    const side = this.#sides[which]!;
    if (side.freeAt > t) return;
    const data = side.capAt > t ? [] : LINKS.filter((link) => this.#segment(side.ends[link]!) > 0);
    if (data.length > 0) {
      const end = side.ends[data.length === 1 ? data[0]! : this.#favoured(side)]!;
      if (data.length === 1) this.#noCredit(side, end);
      this.#send(which, end, this.#segment(end), t);
      return;
    }
    const due = side.ends.find((end) => this.#needsAcknowledgement(end, t));
    if (due !== undefined) this.#send(which, due, 0, t);
  }

  /** Payload bytes that may go now; 0 when none may. */
  #segment(end: End): number {
    const size = Math.min(end.visible - end.sent, this.#mss);
    const room = Math.min(end.una + end.cwnd, end.rightEdge) - end.sent;
    if (size <= room) return size;
    return end.sent === end.una ? Math.max(0, room) : 0;
  }

  /** Which link goes when both could: A, or the one with the smaller wire bytes x weight of the other. */
  #favoured(side: Side): number {
    const [a, b] = [this.#g[abi.G_NET_WEIGHT_A]!, this.#g[abi.G_NET_WEIGHT_B]!];
    if (a === 0) return 0;
    return side.ends[0].wireBytes * b <= side.ends[1].wireBytes * a ? 0 : 1;
  }

  /**
   * A link that cannot send earns no claim meanwhile: its count is raised to its fair share of the other's.
   */
  #noCredit(side: Side, end: End): void {
    const weights = [this.#g[abi.G_NET_WEIGHT_A]!, this.#g[abi.G_NET_WEIGHT_B]!];
    if (weights[0] === 0) return;
    const other = side.ends[1 - end.link]!;
    const fair = Math.floor((end.wireBytes * weights[other.link]!) / weights[end.link]!);
    other.wireBytes = Math.max(other.wireBytes, fair);
  }

  #needsAcknowledgement(end: End, t: number): boolean {
    if (end.received - end.acknowledged > this.#mss || end.timerAt <= t) return true;
    if (end.acknowledged === 0) return false;
    const move = end.taken + this.#window - end.advertised;
    return move >= 2 * this.#mss && end.advertised - end.received < this.#window / 2;
  }

  #send(which: number, end: End, payloadBytes: number, t: number): void {
    const g = this.#g;
    const side = this.#sides[which]!;
    const bytes = frameBytes(g, payloadBytes);
    const ticks = bytes * g[abi.G_NET_TICKS_NUM]! + side.remainder;
    const den = g[abi.G_NET_TICKS_DEN]!;
    side.remainder = ticks % den;
    side.freeAt = t + (ticks - side.remainder) / den;
    if (payloadBytes > 0) {
      if (g[abi.G_NET_CAP_NUM]! > 0) {
        const capTicks = bytes * g[abi.G_NET_CAP_NUM]! + side.capRemainder;
        side.capRemainder = capTicks % g[abi.G_NET_CAP_DEN]!;
        side.capAt = t + (capTicks - side.capRemainder) / g[abi.G_NET_CAP_DEN]!;
      }
      end.sent += payloadBytes;
    }
    end.wireBytes += bytes;
    end.acknowledged = end.received;
    end.advertised = Math.max(end.advertised, end.taken + this.#window);
    end.timerAt = Infinity;
    const frame: Frame = {
      side: which,
      link: end.link,
      startAt: t,
      arriveAt: side.freeAt + g[abi.G_NET_PROPAGATION]!,
      payloadBytes,
      acknowledged: end.acknowledged,
      rightEdge: end.advertised,
    };
    this.#frames.push(frame);
    this.#sides[1 - which]!.arriving.push(frame);
  }
}
