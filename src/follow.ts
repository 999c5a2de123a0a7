// SPDX-License-Identifier: Apache-2.0
/**
 * Follows guest pages through a run of the instrumented core: what happened to each, when, and how long each
 * stage had it. Reads the timeline between slices; changes nothing in the run.
 */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core-instance.ts";
import { PageLog, type Request } from "./page-log.ts";
import type { FollowedPage } from "./result/follow.ts";
import type { Result } from "./result/schema.ts";
import { type Progress, type SimulateInput, simulation } from "./simulate.ts";
import { TimelineReader, type TimelineRecord } from "./timeline.ts";

/** Slices so short that the ring holds what any link makes in one. */
const SLICE_TICKS = 1024n * 10n ** 8n;

const KINDS = [abi.T_PUT, abi.T_TLP, abi.T_ANSWER, abi.T_FRAME, abi.T_ARRIVE, abi.T_STAGE, abi.T_PAGE];
// ports of the data requester, and the data link of the pages (kernel/stream.ts)
const READ_PORT = abi.PORT_READ + abi.R_DATA;
const WRITE_PORT = abi.PORT_POSTED + abi.R_DATA;
const LINK_B = 1;

/** `drain` it after each slice, and once at the end. */
class Follower {
  readonly #reader: TimelineReader;
  readonly #logs: Map<number, PageLog>;
  readonly #core: Core;
  // read requests in the order of their port, until their packet goes; then by tag
  #asked: Request | null = null;
  #puts = 0;
  #gone = 0;
  readonly #waiting = new Map<number, Request>();
  readonly #byTag = new Map<number, Request>();
  // bytes of the pages' data link that were sent and have arrived
  #sent = 0n;
  #arrived = 0n;

  /** @param core an instrumented core, which need not be built yet */
  constructor(core: Core, pages: readonly number[]) {
    this.#core = core;
    this.#reader = new TimelineReader(core, KINDS);
    this.#logs = new Map(pages.map((page) => [page, new PageLog(page)]));
  }

  drain(): void {
    this.#reader.drain((record) => this.#take(record));
  }

  /** The pages in the order in which they were given. */
  pages(): FollowedPage[] {
    return [...this.#logs.values()].map((log) => log.done());
  }

  #take(r: TimelineRecord): void {
    switch (r.kind) {
      case abi.T_PAGE:
        this.#page(r);
        break;
      case abi.T_STAGE:
        this.#stage(r);
        break;
      case abi.T_PUT:
        if (r.side === 0 && r.which === READ_PORT) this.#put();
        break;
      case abi.T_TLP:
        this.#packet(r);
        break;
      case abi.T_ANSWER:
        if (r.side === 0 && r.which === abi.R_DATA) this.#answer(r);
        break;
      case abi.T_FRAME:
        if (r.side === 0 && r.which === LINK_B && r.a > 0) this.#frame(r);
        break;
      case abi.T_ARRIVE:
        if (r.side === 1 && r.which === LINK_B && r.a > 0) this.#arrive(r);
        break;
    }
  }

  #page(r: TimelineRecord): void {
    const log = this.#logs.get(r.a);
    if (log === undefined) return;
    if (r.which === abi.P_REQUEST) this.#asked = log.request(r);
    else log.step(r);
  }

  #stage(r: TimelineRecord): void {
    if (r.which !== abi.U_CONTROL) {
      if (Number(r.c) <= 2) this.#logs.get(r.a)?.stage(r);
      return;
    }
    if (Number(r.c) !== abi.F_PAGE_RECORD) return;
    for (const log of this.#logs.values()) log.recordHandler(r);
  }

  /** The data requester put a read: the one that was announced just before, if it is of a page followed. */
  #put(): void {
    if (this.#asked !== null) this.#waiting.set(this.#puts, this.#asked);
    this.#asked = null;
    this.#puts++;
  }

  #packet(r: TimelineRecord): void {
    if (r.side === 0 && r.which === READ_PORT) {
      const request = this.#waiting.get(this.#gone);
      this.#waiting.delete(this.#gone++);
      if (request === undefined) return;
      request.tag = Number(r.c);
      request.wireTicks = r.ticks;
      this.#byTag.set(request.tag, request);
    } else if (r.side === 1 && r.which === WRITE_PORT) {
      const job = Number(r.c);
      for (const log of this.#logs.values()) {
        if (log.writes(job)) log.write(r.ticks, r.ticks + this.#wireTicks(r), Number(r.b));
      }
    }
  }

  /** Time of a packet on the wire. */
  #wireTicks({ side, a }: TimelineRecord): bigint {
    const params = Number(this.#core.fn("sideParams")(side)) >>> 0;
    return BigInt(a) * this.#core.u64(params + abi.S_PCIE_TICKS_PER_BYTE * 8);
  }

  #answer(r: TimelineRecord): void {
    const request = this.#byTag.get(r.a);
    if (request === undefined) return;
    this.#byTag.delete(r.a);
    request.answeredTicks = r.ticks;
  }

  #frame(r: TimelineRecord): void {
    const from = this.#sent;
    this.#sent += BigInt(r.a);
    for (const log of this.#logs.values()) log.sent(from, this.#sent, r.ticks);
  }

  #arrive(r: TimelineRecord): void {
    const from = this.#arrived;
    this.#arrived += BigInt(r.a);
    for (const log of this.#logs.values()) log.arrived(from, this.#arrived, r.ticks);
  }
}

/**
 * A run that follows pages: the result of `simulation`, and `follow` beside it.
 * @param input with an instrumented core
 * @param pages below the guest's number of pages, each once
 * @throws as `simulation`
 */
export function* followedSimulation(
  input: SimulateInput,
  pages: readonly number[],
): Generator<Progress, Result> {
  const follower = new Follower(input.core, pages);
  const steps = simulation({ ...input, sliceTicks: SLICE_TICKS });
  for (;;) {
    const step = steps.next();
    follower.drain();
    if (step.done) return { ...step.value, follow: follower.pages() };
    yield step.value;
  }
}
