// SPDX-License-Identifier: Apache-2.0
/**
 * How the congestion window of a connection grows and is cut, slowly: docs/model.md section 6, RFC 5681, 6937
 * and 9438. Windows are segments, times ticks.
 */
const MS = 1_024_000_000_000;
const NS = 1_024_000;
/** Linux with HZ 250. */
const JIFFY = 4 * MS;
/** 2^-13 s. */
const UNIT = 125_000_000_000;

/** What the control needs to know of its connection. */
export interface View {
  mssBytes: number;
  una: number;
  next: number;
  srtt: number;
  inFlight: number;
}

/** Largest x with x^3 <= n. */
function cubeRoot(n: bigint): bigint {
  let x = BigInt(Math.round(Math.cbrt(Number(n))));
  while (x ** 3n > n) x--;
  while ((x + 1n) ** 3n <= n) x++;
  return x;
}

export class Growth {
  cwnd = 10;
  ssthresh = Infinity;
  /** Most segments out in the last window, and whether the window limited the sender. */
  mostOut = 0;
  limited = false;
  readonly #cubic: boolean;
  #count = 0;
  // proportional rate reduction
  #prior = 0;
  #delivered = 0;
  prrOut = 0;
  // cubic
  #epoch: number | null = null;
  #asked = { window: 0, at: Number.NEGATIVE_INFINITY };
  #per = 0;
  #wmax = 0;
  #plateau = 0;
  #k = 0n;
  #friendly = 0;
  #friendlyCount = 0;
  #leastRtt = 0;
  #left = false;
  #round = { from: 0, last: 0, end: 0, rtt: Infinity, samples: 0 };

  constructor(cubic: boolean) {
    this.#cubic = cubic;
  }

  /** A loss: the new threshold. */
  #cut(): void {
    if (!this.#cubic) {
      this.ssthresh = Math.max(Math.floor(this.cwnd / 2), 2);
      return;
    }
    this.#epoch = null;
    this.#wmax = this.cwnd < this.#wmax ? Math.floor((this.cwnd * 17) / 20) : this.cwnd;
    this.ssthresh = Math.max(Math.floor((this.cwnd * 7) / 10), 2);
  }

  beginRecovery(): void {
    this.#prior = this.cwnd;
    this.#delivered = 0;
    this.prrOut = 0;
    this.#count = 0;
    this.#cut();
  }

  /** An ACK in recovery that delivered segments. */
  reduce(delivered: number, advanced: boolean, pipe: number): void {
    if (delivered === 0) return;
    this.#delivered += delivered;
    let send: number;
    if (pipe > this.ssthresh) {
      send = Math.ceil((this.ssthresh * this.#delivered) / this.#prior) - this.prrOut;
    } else {
      send = Math.max(this.#delivered - this.prrOut, delivered) + (advanced ? 1 : 0);
      send = Math.min(send, this.ssthresh - pipe);
    }
    this.cwnd = pipe + Math.max(send, this.prrOut === 0 ? 1 : 0);
  }

  timeout(first: boolean): void {
    if (first) this.#cut();
    this.#epoch = null;
    this.#asked = { window: 0, at: Number.NEGATIVE_INFINITY };
    this.#per = 0;
    this.#wmax = 0;
    this.#leastRtt = 0;
    this.#left = false;
    this.#round.end = 0;
    this.cwnd = 1;
    this.#count = 0;
  }

  /** Segments have been delivered outside a recovery. */
  grow(acked: number, t: number): void {
    const slow = this.cwnd < this.ssthresh;
    if (slow ? this.cwnd >= 2 * this.mostOut : !this.limited) return;
    let left = acked;
    if (slow) {
      const to = Math.min(this.cwnd + acked, this.ssthresh);
      left -= to - this.cwnd;
      this.cwnd = to;
      if (left === 0) return;
    }
    this.#add(this.#cubic ? this.#perIncrease(left, t) : this.cwnd, left);
  }

  #add(per: number, acked: number): void {
    if (this.#count >= per) {
      this.#count = 0;
      this.cwnd++;
    }
    this.#count += acked;
    const more = Math.floor(this.#count / per);
    this.#count -= more * per;
    this.cwnd += more;
  }

  #perIncrease(acked: number, t: number): number {
    const jiffy = Math.floor(t / JIFFY);
    this.#friendlyCount += acked;
    const { window, at } = this.#asked;
    if (window === this.cwnd && jiffy - at <= 7) return this.#per;
    const fresh = this.#epoch === null;
    if (this.#epoch === null) {
      this.#epoch = jiffy;
      this.#friendlyCount = acked;
      this.#friendly = this.cwnd;
      this.#plateau = Math.max(this.#wmax, this.cwnd);
      this.#k = cubeRoot(BigInt(this.#plateau - this.cwnd) * 5n * 2n ** 38n);
    }
    if (fresh || jiffy !== at) {
      this.#asked = { window: this.cwnd, at: jiffy };
      this.#per = this.#cube((jiffy - this.#epoch + Math.ceil(this.#leastRtt / JIFFY)) * JIFFY);
    }
    const share = Math.floor((this.cwnd * 15) / 8);
    while (this.#friendlyCount > share) {
      this.#friendlyCount -= share;
      this.#friendly++;
    }
    if (this.#friendly > this.cwnd) {
      this.#per = Math.min(this.#per, Math.floor(this.cwnd / (this.#friendly - this.cwnd)));
    }
    this.#per = Math.max(this.#per, 2);
    return this.#per;
  }

  /** Segments for an increase by the cube alone, so many ticks after its beginning. */
  #cube(ticks: number): number {
    const at = BigInt(Math.floor(ticks / UNIT));
    const off = at < this.#k ? this.#k - at : at - this.#k;
    const change = Number(((off ** 3n * 2n) / 5n) >> 39n);
    const target = at < this.#k ? Math.max(this.#plateau - change, 0) : this.#plateau + change;
    const per = target > this.cwnd ? Math.floor(this.cwnd / (target - this.cwnd)) : 100 * this.cwnd;
    return this.#wmax === 0 ? Math.min(per, 20) : per;
  }

  /** RTT of the last segment of an ACK: CUBIC's least RTT, and HyStart. */
  sample(rtt: number, view: View, t: number): void {
    if (!this.#cubic || (this.#epoch !== null && Math.floor(t / JIFFY) - this.#epoch < 250)) return;
    this.#leastRtt = this.#leastRtt === 0 ? rtt : Math.min(this.#leastRtt, rtt);
    if (this.#left || this.cwnd >= this.ssthresh) return;
    const round = this.#round;
    if (view.una > round.end)
      Object.assign(round, { from: t, last: t, end: view.next, rtt: Infinity, samples: 0 });
    if (this.cwnd < 16) return;
    let leave = false;
    if (t - round.last <= 2 * MS) {
      round.last = t;
      const srttNs = Math.floor(view.srtt / NS);
      const burst = Math.min(Math.floor((262_144 * srttNs) / (2 * this.cwnd * view.mssBytes)), 1_000_000);
      leave = t - round.from > Math.floor((this.#leastRtt + burst * NS) / 2);
    }
    round.rtt = Math.min(round.rtt, rtt);
    const slack = Math.min(Math.max(Math.floor(this.#leastRtt / 8), 4 * MS), 16 * MS);
    if (round.samples++ >= 8 && round.rtt > this.#leastRtt + slack) leave = true;
    if (!leave) return;
    this.#left = true;
    this.ssthresh = this.cwnd;
  }

  /** The sender begins again at t; it sent last at `lastSentAt`. */
  resume(lastSentAt: number, t: number): void {
    if (this.#epoch === null) return;
    const now = Math.floor(t / JIFFY);
    this.#epoch = Math.min(this.#epoch + now - Math.floor(lastSentAt / JIFFY), now);
  }

  idle(ticks: number, timeout: number): void {
    const floor = Math.min(10, this.cwnd);
    this.ssthresh = Math.max(this.ssthresh, Math.floor(this.cwnd / 2) + Math.floor(this.cwnd / 4));
    for (let rest = ticks; rest > timeout && this.cwnd > floor; rest -= timeout) {
      this.cwnd = Math.max(Math.floor(this.cwnd / 2), floor);
    }
    this.#count = 0;
  }
}

/** Of UDP: no window but the peer's, and nothing that a loss cuts. */
export class Boundless extends Growth {
  override cwnd = Infinity;

  constructor() {
    super(false);
  }

  override beginRecovery(): void {}
  override reduce(): void {}
  override timeout(): void {}
  override grow(): void {}
  override sample(): void {}
  override resume(): void {}
  override idle(): void {}
}
