// SPDX-License-Identifier: Apache-2.0
// QEMU's trace log (backend "log") of a migration's source, with the reply of `query-migrate`.
//
// Lines are `THREAD@SECONDS.MICROSECONDS:event arguments` (with -msg timestamp=on). Three events count, as
// QEMU's migration/trace-events has them:
//   migration_bitmap_sync_start
//   migration_bitmap_sync_end dirty_pages N
//   ram_save_page BLOCK: offset: 0xHEX host: 0xHEX      a page that is not zero is sent
// Time 0 is the first sync. An epoch ends at each sync after it. A page that is sent for the second time or
// more was written in the epoch that ended at the last sync before; its first copy is the initial image and
// no write. Blocks get pfns in order of appearance; block sizes are not in the log, so each has the pages up
// to its highest. From query-migrate: `ram.normal` must be the number of ram_save_page lines, `ram.total`
// and `ram.page-size` give the number of pages; pages beyond those that the log names are at the end.
// Left out: contents; pages that became zero again (ram_save_page does not tell); the exact time of a write.
import { LIMITS } from "../format.ts";
import { MdtWriter } from "../mdt-writer.ts";
import type { TraceSink } from "../sink.ts";
import { PageSet } from "../sparse.ts";
import type { Steps } from "../steps.ts";
import { TIME_US_MAX } from "./epochs.ts";
import {
  type Imported,
  type Importer,
  type ImportOptions,
  type Input,
  latin,
  PAGE_BYTES,
  PAGE_SHIFT,
  provenance,
  type Range,
} from "./importer.ts";
import { eachLine, type Line, refuseLine } from "./lines.ts";
import { readQuery } from "./query-migrate.ts";

const EVENT = /^\d+@(\d{1,11})\.(\d{6}):(\w+) ?(.*)$/;
const PAGE = /^(\S.{0,254}?): offset: 0x([0-9a-f]{1,13}) host: /;
const BLOCKS_MAX = 256;

/** What the log says, in order. */
interface Listener {
  sync(timeUs: number, line: Line): void;
  page(block: string, page: number, line: Line): void;
}

/** Reads the log's events; other events are passed over. */
function* eachEvent(input: Input, listener: Listener): Steps<Omit<Line, "text">> {
  const { name } = input;
  let startUs = -1;
  let lastUs = 0;
  let open: Line | null = null;
  let end: Omit<Line, "text"> = { number: 1, at: 0 };
  yield* eachLine(input, (line) => {
    end = line;
    const [, seconds = "", micro = "", event = "", rest = ""] = EVENT.exec(line.text) ?? [];
    if (event === "")
      refuseLine(name, line, "this is no THREAD@SECONDS.MICROSECONDS:event; use -msg timestamp=on");
    const timeUs = Number(seconds) * 1e6 + Number(micro);
    if (event === "migration_bitmap_sync_start") {
      if (open !== null) refuseLine(name, line, `a sync begins within that of line ${open.number}`);
      open = line;
      if (startUs < 0) startUs = timeUs;
      if (timeUs - startUs < lastUs) refuseLine(name, line, "time goes back from the sync before");
      if (timeUs - startUs > TIME_US_MAX) refuseLine(name, line, "the log passes 2.5 h, the longest time");
      lastUs = timeUs - startUs;
      listener.sync(lastUs, line);
    } else if (event === "migration_bitmap_sync_end") {
      if (open === null) refuseLine(name, line, "a sync ends that did not begin");
      if (!/^dirty_pages \d+$/.test(rest)) refuseLine(name, line, "write dirty_pages N behind sync_end");
      open = null;
    } else if (event === "ram_save_page") {
      const found = PAGE.exec(rest);
      if (found === null) refuseLine(name, line, "write ram_save_page BLOCK: offset: 0xHEX host: 0xHEX");
      if (startUs < 0)
        refuseLine(name, line, "a page is sent before the first sync: the log has no beginning");
      const offset = Number.parseInt(found[2]!, 16);
      if (offset % PAGE_BYTES !== 0)
        refuseLine(name, line, `0x${found[2]} is not a multiple of ${PAGE_BYTES}`);
      listener.page(found[1]!, offset / PAGE_BYTES, line);
    }
  });
  if (open !== null)
    refuseLine(name, end, "the log ends within a sync: migration_bitmap_sync_end is missing");
  return end;
}

/** Pages of each block, in order of appearance. */
class Blocks {
  readonly sizes = new Map<string, number>();
  pagesSent = 0;
  syncs = 0;

  take(name: string, block: string, page: number, line: Line): void {
    this.pagesSent++;
    const before = this.sizes.get(block) ?? 0;
    if (page >= LIMITS.pages - 1) refuseLine(name, line, "the offset is beyond 16 TiB");
    if (page >= before) this.sizes.set(block, page + 1);
    if (this.sizes.size > BLOCKS_MAX) refuseLine(name, line, `more than ${BLOCKS_MAX} blocks`);
  }

  ranges(): Range[] {
    let first = 0;
    return [...this.sizes].map(([block, pages]) => {
      first += pages;
      return [first - pages, pages, block];
    });
  }
}

function* blocksOf(input: Input): Steps<{ blocks: Blocks; end: Omit<Line, "text"> }> {
  const blocks = new Blocks();
  const end = yield* eachEvent(input, {
    sync: () => void blocks.syncs++,
    page: (block, page, line) => blocks.take(input.name, block, page, line),
  });
  if (blocks.pagesSent === 0)
    refuseLine(input.name, end, "the log has no ram_save_page: run QEMU with -trace 'ram_save_page' as well");
  return { blocks, end };
}

/** Turns syncs and pages into epochs: what is sent between two syncs was written before the first of them. */
class Passes implements Listener {
  epochs = 0;
  events = 0;
  private readonly writer: MdtWriter;
  private readonly firstOf: ReadonlyMap<string, number>;
  private readonly sent = new PageSet();
  private again = new PageSet();
  private syncUs = 0;
  private endUs = 0;

  constructor(writer: MdtWriter, ranges: readonly Range[]) {
    this.writer = writer;
    this.firstOf = new Map(ranges.map(([first, , block]) => [block, first]));
  }

  sync(timeUs: number): void {
    this.flush();
    this.syncUs = timeUs;
  }

  page(block: string, page: number): void {
    const pfn = this.firstOf.get(block)! + page;
    if (this.sent.has(pfn)) this.again.add(pfn);
    else this.sent.add(pfn);
  }

  /** The epoch that ended at the last sync; of two syncs in a microsecond the later one is one later. */
  flush(): void {
    if (this.syncUs === 0 && this.again.size === 0) return;
    this.endUs = Math.max(this.syncUs, this.endUs + 1);
    this.writer.epoch(this.endUs, this.again.list(), null);
    this.epochs++;
    this.events += this.again.size;
    this.again = new PageSet();
  }
}

function* logSteps(sink: TraceSink, inputs: readonly Input[], options: ImportOptions): Steps<Imported> {
  const [log, reply] = inputs as [Input, Input | undefined];
  const query = reply === undefined ? null : readQuery(reply);
  const { blocks, end } = yield* blocksOf(log);
  const ranges = blocks.ranges();
  const named = ranges.reduce((sum, [, pages]) => sum + pages, 0);
  if (query !== null && query.normal !== blocks.pagesSent) {
    const what = `the log has ${blocks.pagesSent} ram_save_page, query-migrate says normal ${query.normal}`;
    refuseLine(log.name, end, `${what}: the log is cut, or of another migration`);
  }
  const pages = query === null ? named : Math.floor(query.totalBytes / PAGE_BYTES);
  if (pages < named) refuseLine(log.name, end, `the log names ${named} pages, query-migrate has ${pages}`);
  if (pages >= LIMITS.pages) refuseLine(log.name, end, `${named} pages are too many`);
  const metadata = yield* provenance("qemu-log", inputs, options.tool, {
    pfn_mapping: ranges,
    clock: "microseconds since the first sync",
    ...(query === null ? {} : { queryMigrate: query.reply }),
  });
  const shape = { pages, pageShift: PAGE_SHIFT, contents: "none", nominalEpochNs: 0 } as const;
  const writer = new MdtWriter(sink, { ...shape, metadata, deltas: false, compress: true });
  const passes = new Passes(writer, ranges);
  yield* eachEvent(log, passes);
  passes.flush();
  const bytes = yield* writer.finishSteps();
  return { bytes, contents: "none", pages, epochs: passes.epochs, events: passes.events };
}

export const qemuLog: Importer = {
  kind: "qemu-log",
  takes: "a trace log of the source, and the JSON of query-migrate",
  inputsMin: 1,
  inputsMax: 2,
  begins: (head) => /^\d+@\d+\.\d{6}:\w/.test(latin(head)),
  steps: logSteps,
};
