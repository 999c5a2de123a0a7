// SPDX-License-Identifier: Apache-2.0
// What a sampled trace knows about contents, found in one pass over time when it is opened for replay.
//
// A body recorded at the end of an epoch that lists its page is met again while replaying. A body recorded
// later, before the page is written again, is the contents of the page's last version: it is filed here under
// that version (at most LIMITS.lateBodies of them; further ones count as not recorded). A body recorded
// strictly inside an epoch that lists its page belongs to no version for certain and is left out.
import { expect } from "./errors.ts";
import { LIMITS } from "./format.ts";
import { atChunk, loadChunk, type MdtTrace } from "./mdt-reader.ts";
import * as P from "./payload.ts";
import { SparseU32 } from "./sparse.ts";
import { chunksByTime, type TimedList, timeline } from "./timeline.ts";

/** A recorded body by place: version 0 is the initial image, version e + 1 is made by epoch e. */
export interface LateBody {
  readonly version: number;
  readonly pfn: number;
  readonly chunk: number;
  readonly entry: number;
}

/** Decoded PAGE chunks, the most recently used within LIMITS.cacheBytes. */
class ChunkCache {
  private readonly tables = new Map<number, P.BodyTable>();
  private bytes = 0;
  private readonly trace: MdtTrace;

  constructor(trace: MdtTrace) {
    this.trace = trace;
  }

  table(k: number): P.BodyTable {
    let table = this.tables.get(k);
    if (table === undefined) {
      table = loadTable(this.trace, k);
      this.bytes += table.raw.length;
    } else this.tables.delete(k);
    this.tables.set(k, table);
    for (const [old, { raw }] of this.tables) {
      if (this.bytes <= LIMITS.cacheBytes || old === k) break;
      this.tables.delete(old);
      this.bytes -= raw.length;
    }
    return table;
  }
}

/** Decodes PAGE chunk `k`. Throws TraceError. */
export function loadTable(trace: MdtTrace, k: number): P.BodyTable {
  const { chunk, raw } = loadChunk(trace, k);
  return atChunk(trace, k, undefined, () => {
    const table = P.bodyTable(raw, chunk.items, trace.pages, null);
    P.checkPageBodies(table, trace.pageBytes, false);
    return table;
  });
}

/** Contents of a sampled trace (or one without contents) beyond its epoch lists. */
export class SampledIndex {
  /** The last ZMAP in time, or null. True at its own time only; elsewhere an estimate. */
  readonly zeroMap: Uint8Array | null;
  /** The last TMAP in time, or null: a page that it does not name held zeros until an epoch lists it. */
  readonly touchedMap: Uint8Array | null;
  /** By version, then pfn. */
  readonly late: readonly LateBody[];
  /** Bodies that were recorded too late to be kept, by LIMITS.lateBodies. */
  readonly lateDropped: number;
  /** Numbers of the PAGE chunks by time. */
  readonly pageChunks: Uint32Array;
  private readonly cache: ChunkCache;

  constructor(trace: MdtTrace) {
    this.zeroMap = lastMap(trace, "ZMAP");
    this.touchedMap = lastMap(trace, "TMAP");
    this.pageChunks = chunksByTime(trace, "PAGE");
    this.cache = new ChunkCache(trace);
    const { late, dropped } = findLate(trace, this.pageChunks);
    this.late = late;
    this.lateDropped = dropped;
  }

  /** A late body, null if the page was recorded as zero. */
  lateBody(late: LateBody): Uint8Array | null {
    const table = this.cache.table(late.chunk);
    return table.length[late.entry] === 0 ? null : P.entryBody(table, late.entry);
  }

  /** Decoded PAGE chunk through the cache. */
  table(k: number): P.BodyTable {
    return this.cache.table(k);
  }
}

/** Payload of the last chunk of a type in time, null when there is none. */
function lastMap(trace: MdtTrace, type: string): Uint8Array | null {
  const maps = chunksByTime(trace, type);
  return maps.length === 0 ? null : loadChunk(trace, maps[maps.length - 1]!).raw;
}

function findLate(trace: MdtTrace, pageChunks: Uint32Array): { late: LateBody[]; dropped: number } {
  const late: LateBody[] = [];
  let dropped = 0;
  if (pageChunks.length === 0) return { late, dropped };
  const lastVersion = new SparseU32();
  const lists = timeline(trace);
  let past: TimedList | null = null;
  let coming: TimedList | null = lists.next().value ?? null;
  for (const k of pageChunks) {
    const timeUs = trace.chunks.timeUs(k);
    while (coming !== null && coming.endUs <= timeUs) {
      lastVersion.setAll(coming.pfns, coming.index + 1);
      past = coming;
      coming = lists.next().value ?? null;
    }
    const { pfns } = loadTable(trace, k);
    for (let entry = 0; entry < pfns.length; entry++) {
      const pfn = pfns[entry]!;
      const version = lastVersion.get(pfn);
      if (past !== null && past.endUs === timeUs && version === past.index + 1) continue;
      const inside = coming !== null && timeUs > coming.startUs && P.indexOfPfn(coming.pfns, pfn) >= 0;
      if (inside) continue;
      if (late.length < LIMITS.lateBodies) late.push({ version, pfn, chunk: k, entry });
      else dropped++;
    }
  }
  late.sort((a, b) => a.version - b.version || a.pfn - b.pfn || a.chunk - b.chunk || a.entry - b.entry);
  const first = late.filter(
    (l, i) => i === 0 || l.version !== late[i - 1]!.version || l.pfn !== late[i - 1]!.pfn,
  );
  return { late: first, dropped };
}

/** Bodies of the file spread evenly over it, at most LIMITS.poolBodies, and how many drawn ones were zero. */
export interface BodyPool {
  readonly bodies: readonly Uint8Array[];
  readonly zeros: number;
}

/** Draws the pool of stand-ins: every n-th PAGE entry in file order. Throws TraceError. */
export function drawPool(trace: MdtTrace): BodyPool {
  const { chunks, pageBytes } = trace;
  const wanted = Math.min(LIMITS.poolBodies, Math.floor(LIMITS.poolBytes / pageBytes));
  let total = 0;
  for (let k = 0; k < chunks.length; k++) if (chunks.type(k) === "PAGE") total += chunks.itemsOf(k);
  const count = Math.min(wanted, total);
  const bodies: Uint8Array[] = [];
  let zeros = 0;
  for (let k = 0, before = 0, drawn = 0; k < chunks.length && drawn < count; k++) {
    if (chunks.type(k) !== "PAGE") continue;
    const end = before + chunks.itemsOf(k);
    let table: P.BodyTable | null = null;
    for (; drawn < count; drawn++) {
      const number = Math.floor((drawn * total) / count);
      if (number >= end) break;
      table ??= loadTable(trace, k);
      expect(number - before < table.pfns.length, "a PAGE chunk changed while it was read");
      const body = P.entryBody(table, number - before);
      if (body.length === 0) zeros++;
      else bodies.push(body.slice());
    }
    before = end;
  }
  return { bodies, zeros };
}
