// SPDX-License-Identifier: Apache-2.0
/**
 * The slow, obvious evacuation, from docs/model.md section 22: sets of page numbers. Given are the writes as
 * each guest has them, when each round began and ended, and when a guest stopped; whose round each was, how
 * many pages it sent and whether it was the last of its guest is predicted. Guests of one batch, without
 * stalls, so that a round collects at its beginning and writes come at the times of the trace.
 */
export interface Guest {
  readonly pages: number;
  /** In order of time. */
  readonly writes: readonly { readonly at: bigint; readonly pfn: number }[];
  readonly suspendedAt: bigint;
}

/** When a round began and ended, and when it was decided whose it was. */
export interface Times {
  readonly chosenAt: bigint;
  readonly startAt: bigint;
  /** When the source knew that it was placed; of a guest's last round nothing follows from it. */
  readonly endAt: bigint;
}

export interface Rule {
  readonly order: "fair" | "shortest-dirty-first" | "one-after-another";
  readonly limitTicks: bigint;
  readonly maxRounds: number;
}

export interface Turn {
  readonly guest: number;
  readonly pages: number;
  readonly last: boolean;
}

/** Distinct pages written from a time on and before another. */
function written(guest: Guest, from: bigint, until: bigint): number {
  const set = new Set<number>();
  for (const { at, pfn } of guest.writes) if (at >= from && at < until) set.add(pfn);
  return set.size;
}

class Server {
  readonly #guests: readonly Guest[];
  readonly #rule: Rule;
  /** When the guest's pages were last collected, null before its first round. */
  readonly #since: (bigint | null)[];
  readonly #open: boolean[];
  readonly #rounds: number[];
  #at = -1;

  constructor(guests: readonly Guest[], rule: Rule) {
    this.#guests = guests;
    this.#rule = rule;
    this.#since = guests.map(() => null);
    this.#open = guests.map(() => true);
    this.#rounds = guests.map(() => 0);
  }

  #left(k: number, at: bigint): number {
    const since = this.#since[k]!;
    return since === null ? this.#guests[k]!.pages : written(this.#guests[k]!, since, at);
  }

  #next(at: bigint): number {
    const open = this.#open.flatMap((is, k) => (is ? [k] : []));
    if (this.#rule.order === "shortest-dirty-first") {
      const left = open.map((k) => this.#left(k, at));
      return open[left.indexOf(Math.min(...left))]!;
    }
    if (this.#rule.order === "fair") return open.find((k) => k > this.#at) ?? open[0]!;
    return open.includes(this.#at) ? this.#at : open[0]!;
  }

  /** The rounds; as many as there are times, unless no guest is left. */
  run(times: readonly Times[]): Turn[] {
    const turns: Turn[] = [];
    let stops = false;
    for (const { chosenAt, startAt, endAt } of times) {
      if (!this.#open.includes(true)) break;
      if (!stops) this.#at = this.#next(chosenAt);
      const guest = this.#guests[this.#at]!;
      const until = stops ? guest.suspendedAt : startAt;
      const pages = this.#left(this.#at, until);
      turns.push({ guest: this.#at, pages, last: stops });
      this.#since[this.#at] = startAt;
      if (stops) {
        this.#open[this.#at] = false;
        stops = false;
        continue;
      }
      this.#rounds[this.#at]!++;
      const left = BigInt(this.#left(this.#at, endAt));
      stops = left * (endAt - startAt) <= this.#rule.limitTicks * BigInt(pages);
      if (!stops && this.#rounds[this.#at]! >= this.#rule.maxRounds) this.#open[this.#at] = false;
    }
    return turns;
  }
}

/** Whose rounds they must be. */
export function turnsOf(guests: readonly Guest[], rule: Rule, times: readonly Times[]): Turn[] {
  return new Server(guests, rule).run(times);
}
