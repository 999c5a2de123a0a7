// SPDX-License-Identifier: Apache-2.0
/** What the timeline tells of one page, put together into its ways from server to server. */
import * as abi from "../assembly/abi.ts";
import { grouped } from "./report/format.ts";
import type { FollowEvent, FollowedPage, FollowStage, Journey } from "./result/follow.ts";
import type { TimelineRecord } from "./timeline.ts";

/** A read request of the page. */
export interface Request {
  readonly offset: number;
  readonly bytes: number;
  readonly issuedTicks: bigint;
  tag: number;
  wireTicks: bigint | null;
  answeredTicks: bigint | null;
}

/** Something that happened, before it is told. */
interface Happening {
  ticks: bigint;
  untilTicks: bigint | null;
  unit: string;
  what: string;
}

/** Stages in the order in which a page meets them. */
const STAGES = [
  "announce",
  "descriptor",
  "read",
  "zero filter",
  "compress",
  "record",
  "seal",
  "frame",
  "send",
  "receive",
  "record at destination",
  "open",
  "decompress",
  "place",
] as const;
type Stage = (typeof STAGES)[number];

/** One way, while it is under way. */
class Way {
  readonly round: number;
  readonly announced: bigint;
  readonly stages = new Map<Stage, { begin: bigint; end: bigint | null }>();
  readonly requests: Request[] = [];
  version: number | null = null;
  torn = false;
  landed: bigint | null = null;
  jobs: [source: number, destination: number] = [-1, -1];
  // the record in the stream of the pages
  from = 0n;
  to = 0n;
  segments = 0;
  arrivals = 0;
  writes: { first: bigint; last: bigint; count: number; bytes: number } | null = null;

  constructor(round: number, announced: bigint) {
    this.round = round;
    this.announced = announced;
    this.stages.set("announce", { begin: announced, end: null });
  }

  begin(stage: Stage, ticks: bigint, end: bigint | null = null): void {
    this.stages.set(stage, { begin: ticks, end });
  }

  end(stage: Stage, ticks: bigint): void {
    const found = this.stages.get(stage);
    if (found !== undefined) found.end = ticks;
  }
}

/** ns of ticks: 1024 ticks are a picosecond. */
export function nsOf(ticks: bigint): number {
  return Number(ticks / 1024n) / 1000;
}

/** The bit of the number of a record that was made before the request. */
const OF_STORE = 2n ** 63n;
const SIDES = ["source", "destination"] as const;
const round3 = (n: number): number => Math.round(n * 1000) / 1000;
const hex = (n: number): string => `0x${n.toString(16)}`;
const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`;

/** Gathers one page's records. */
export class PageLog {
  readonly #page: number;
  readonly #ways: Way[] = [];
  readonly #happenings: Happening[] = [];
  #way: Way | null = null;
  // writes that changed no mark, in one entry
  #repeated: { first: bigint; last: bigint; count: number; version: number } | null = null;

  constructor(page: number) {
    this.#page = page;
  }

  /** A step of the page (T_PAGE). */
  step(r: TimelineRecord): void {
    const { ticks } = r;
    const [b, c] = [Number(r.b), Number(r.c)];
    switch (r.which) {
      case abi.P_WRITTEN:
        this.#written(ticks, b, c === 1);
        break;
      case abi.P_CLEARED:
        this.#tell(ticks, "source front-end", "dirty mark read and cleared");
        break;
      case abi.P_ANNOUNCED:
        this.#way = new Way(b, ticks);
        this.#ways.push(this.#way);
        this.#tell(
          ticks,
          "source front-end",
          b === 0 ? "announced for the store" : `announced in round ${b}`,
        );
        break;
      default:
        if (this.#way !== null && this.#way.landed === null) this.#onWay(this.#way, r, b, c);
    }
  }

  #onWay(way: Way, r: TimelineRecord, b: number, c: number): void {
    const { ticks } = r;
    const card = SIDES[r.side]!;
    switch (r.which) {
      case abi.P_FOUND:
        way.jobs[0] = b;
        way.end("announce", ticks);
        if (c === 0) this.#tell(ticks, `${card} scanner`, "address on the card");
        else this.#tell(ticks, `${card} VSOCK`, "page begins to come in a message");
        break;
      case abi.P_POSTED:
        this.#tell(ticks, `${card} firmware`, `descriptor posted, ${b + 1} of ${c} in its batch`);
        way.begin("descriptor", way.stages.get("announce")!.end ?? ticks, ticks);
        break;
      case abi.P_FETCHED:
        this.#tell(ticks, `${card} descriptors`, "descriptor fetched");
        way.end("descriptor", ticks);
        break;
      case abi.P_READ:
        this.#read(way, ticks, b, c === 1, card);
        break;
      case abi.P_SORTED:
        way.end("zero filter", ticks);
        this.#tell(ticks, `${card} zero filter`, b === 1 ? "all zero: a header alone" : "not all zero");
        break;
      case abi.P_CODED:
        this.#tell(
          ticks,
          `${card} compressor`,
          b < 4096 ? `${grouped(b)} B in ${c} clocks` : `stays raw after ${c} clocks`,
        );
        break;
      case abi.P_OUT:
        way.end(b === abi.U_COMPRESS ? "compress" : b === abi.U_SEAL ? "seal" : "open", ticks);
        break;
      default:
        this.#recordStep(way, r, b, c, card);
    }
  }

  #recordStep(way: Way, r: TimelineRecord, b: number, c: number, card: string): void {
    const { ticks } = r;
    if (r.which === abi.P_SEALED) {
      const stored = r.b >= OF_STORE;
      const of = stored ? "made for the store" : "of link B";
      this.#tell(ticks, `${card} seal`, `record ${grouped(stored ? Number(r.b - OF_STORE) : b)} ${of}`);
    } else if (r.which === abi.P_STORED) {
      const late = c === 0 ? "kept" : "comes too late to be kept";
      this.#tell(ticks, `${card} framer`, `record of ${grouped(b)} B ${late} in card DRAM`);
    } else if (r.which === abi.P_FRAMED) {
      [way.from, way.to] = [r.b, r.b + r.c];
      way.end("frame", ticks);
      this.#tell(ticks, `${card} framer`, `${grouped(c)} B appended to link B at byte ${grouped(b)}`);
    } else if (r.which === abi.P_RECEIVED) {
      way.jobs[1] = b;
    } else if (r.which === abi.P_PLACED) {
      way.jobs[1] = b;
      way.begin("place", ticks);
      if (c > 0) return;
      way.end("place", ticks);
      this.#tell(ticks, `${card} DMA write`, "nothing to write: fresh memory is zero");
      this.#finish(way, ticks);
    }
  }

  #written(ticks: bigint, version: number, marked: boolean): void {
    if (marked) {
      this.#flush();
      this.#tell(ticks, "guest", `written, version ${version}; dirty mark set`);
    } else if (this.#repeated === null) {
      this.#repeated = { first: ticks, last: ticks, count: 1, version };
    } else {
      Object.assign(this.#repeated, { last: ticks, count: this.#repeated.count + 1, version });
    }
  }

  /** Tells the writes that set no mark. */
  #flush(): void {
    const all = this.#repeated;
    this.#repeated = null;
    if (all === null) return;
    const times = all.count === 1 ? "written" : `written ${all.count} times`;
    const untilTicks = all.count === 1 ? null : all.last;
    this.#happenings.push({
      ticks: all.first,
      untilTicks,
      unit: "guest",
      what: `${times}, version ${all.version}; no mark to set`,
    });
  }

  #read(way: Way, ticks: bigint, version: number, torn: boolean, card: string): void {
    for (const one of way.requests) {
      const { offset, bytes, tag, wireTicks, issuedTicks } = one;
      const sent = wireTicks === null ? "" : `, sent after ${nsOf(wireTicks - issuedTicks)} ns`;
      const what = `${bytes} B at ${hex(this.#page * 4096 + offset)}, tag ${tag}${sent}`;
      this.#tell(one.issuedTicks, `${card} DMA read`, what, one.answeredTicks);
    }
    way.end("read", ticks);
    way.version = version;
    way.torn = torn;
    const state = torn ? "torn by a write" : "whole";
    const unit = way.requests.length > 0 ? "DMA read" : "VSOCK";
    this.#tell(ticks, `${card} ${unit}`, `page complete, version ${version}, ${state}`);
  }

  /** A read request of the page. */
  request(r: TimelineRecord): Request {
    const request: Request = {
      offset: Number(r.b),
      bytes: Number(r.c),
      issuedTicks: r.ticks,
      tag: -1,
      wireTicks: null,
      answeredTicks: null,
    };
    this.#way?.requests.push(request);
    return request;
  }

  /** A stage began (T_STAGE) with the page. */
  stage(r: TimelineRecord): void {
    const way = this.#way;
    if (way === null) return;
    if (way.landed !== null) this.#decrypted(r);
    else if (r.which === abi.U_READ) way.begin("read", r.ticks);
    else if (r.which === abi.U_ZERO) way.begin("zero filter", r.ticks, r.b);
    else if (r.which === abi.U_COMPRESS) way.begin("compress", r.ticks, r.b);
    else if (r.which === abi.U_SEAL) way.begin("seal", r.ticks, r.b);
    else if (r.which === abi.U_FRAMER) way.begin("frame", r.ticks, r.b);
    else if (r.which === abi.U_RECEIVE)
      this.#engine(way, "receive", r, "destination receiver", "record taken");
    else if (r.which === abi.U_OPEN) this.#engine(way, "open", r, "destination open", "record opened");
    else if (r.which === abi.U_UNLZ)
      this.#engine(way, "decompress", r, "destination decompressor", "decompressed");
    else if (r.which === abi.U_MEMORY) this.#landed(way, r.ticks);
  }

  /** A page that landed sealed is opened. */
  #decrypted(r: TimelineRecord): void {
    if (r.which === abi.U_READ) this.#tell(r.ticks, "destination DMA read", "sealed page, first request");
    else if (r.which === abi.U_OPEN) this.#tell(r.ticks, "destination open", "record opened", r.b);
    else if (r.which === abi.U_UNLZ) this.#tell(r.ticks, "destination decompressor", "decompressed", r.b);
    else if (r.which === abi.U_MEMORY)
      this.#tell(r.ticks, "destination memory", "the last write of the plain page has landed");
  }

  #engine(way: Way, stage: Stage, r: TimelineRecord, unit: string, what: string): void {
    way.begin(stage, r.ticks, r.b);
    this.#tell(r.ticks, unit, what, r.b);
  }

  /** A core of the control processor began the handler of some page's record. */
  recordHandler(r: TimelineRecord): void {
    const way = this.#way;
    if (way === null || way.jobs[r.side as 0 | 1] !== r.a || way.landed !== null) return;
    const stage = r.side === 0 ? "record" : "record at destination";
    const before = r.side === 0 ? "zero filter" : "receive";
    if (!way.stages.has(before) || way.stages.has(stage)) return;
    this.#engine(way, stage, r, `${SIDES[r.side]} firmware`, "page record handled");
  }

  /** Bytes from..to of the link went onto the wire. */
  sent(from: bigint, to: bigint, ticks: bigint): void {
    const way = this.#way;
    if (way === null || way.to === 0n || from >= way.to || to <= way.from) return;
    if (way.segments++ === 0) way.begin("send", ticks);
  }

  /** Bytes from..to of the link arrived. */
  arrived(from: bigint, to: bigint, ticks: bigint): void {
    const way = this.#way;
    if (way === null || way.to === 0n || from >= way.to || to <= way.from) return;
    way.arrivals++;
    if (to < way.to) return;
    way.end("send", ticks);
    const begin = way.stages.get("send")?.begin ?? ticks;
    const what = `${plural(way.segments, "segment")}, sent to received`;
    this.#tell(begin, "link B", what, ticks);
  }

  /** True while the destination's job is the one that writes the page. */
  writes(job: number): boolean {
    const way = this.#way;
    return way !== null && way.jobs[1] === job && way.stages.has("place") && way.landed === null;
  }

  /** One of the page's writes went onto the wire. */
  write(ticks: bigint, end: bigint, bytes: number): void {
    const way = this.#way;
    if (way === null) return;
    if (way.writes === null) way.writes = { first: ticks, last: end, count: 1, bytes };
    else Object.assign(way.writes, { last: end, count: way.writes.count + 1 });
  }

  #landed(way: Way, ticks: bigint): void {
    if (way.writes !== null) {
      const { first, last, count, bytes } = way.writes;
      const what = `${plural(count, "write")} of ${bytes} B on the wire`;
      this.#tell(first, "destination DMA write", what, last);
    }
    way.end("place", ticks);
    this.#tell(ticks, "destination memory", "the last write has landed");
    this.#finish(way, ticks);
  }

  #finish(way: Way, ticks: bigint): void {
    way.landed = ticks;
  }

  #tell(ticks: bigint, unit: string, what: string, untilTicks: bigint | null = null): void {
    if (unit !== "guest" && ticks > (this.#repeated?.last ?? ticks)) this.#flush();
    this.#happenings.push({ ticks, untilTicks, unit, what });
  }

  /** All of it, ordered by time. */
  done(): FollowedPage {
    this.#flush();
    const sorted = [...this.#happenings].sort((x, y) => (x.ticks < y.ticks ? -1 : x.ticks > y.ticks ? 1 : 0));
    let next = 0;
    const until = (ticks: bigint | null): FollowEvent[] => {
      const from = next;
      while (next < sorted.length && (ticks === null || sorted[next]!.ticks <= ticks)) next++;
      return sorted.slice(from, next).map(told);
    };
    const journeys = this.#ways.map((way, k) => {
      const last = k + 1 === this.#ways.length && way.landed === null;
      return journeyOf(way, until(last ? null : (way.landed ?? this.#ways[k + 1]!.announced - 1n)));
    });
    return { page: this.#page, address: hex(this.#page * 4096), journeys, after: until(null) };
  }
}

function told({ ticks, untilTicks, unit, what }: Happening): FollowEvent {
  return { atNs: nsOf(ticks), untilNs: untilTicks === null ? null : nsOf(untilTicks), unit, what };
}

function journeyOf(way: Way, events: FollowEvent[]): Journey {
  const latencyTicks = way.landed === null ? null : way.landed - way.announced;
  const stages: FollowStage[] = [];
  let before = way.announced;
  for (const stage of STAGES) {
    const found = way.stages.get(stage);
    if (found === undefined || found.end === null) continue;
    const waitedNs = round3(nsOf(found.begin - before));
    const tookNs = round3(nsOf(found.end - found.begin));
    const all = Number(found.end - before);
    const share = latencyTicks === null ? 0 : all / Math.max(1, Number(latencyTicks));
    stages.push({ stage, beginNs: nsOf(found.begin), waitedNs, tookNs, share });
    before = found.end;
  }
  return {
    round: way.round,
    announcedNs: nsOf(way.announced),
    landedNs: way.landed === null ? null : nsOf(way.landed),
    latencyNs: latencyTicks === null ? null : nsOf(latencyTicks),
    version: way.version,
    torn: way.torn,
    stages,
    events,
  };
}
