// SPDX-License-Identifier: Apache-2.0
/**
 * `software:`: capabilities of QEMU's migration thread with `placement: qemu`, and what they cost. The costs
 * are assumed: queue and zeroPage are halves of qemu.zeroPage, page is the rest of qemu.normalPage and, on
 * one core at 2.1 GHz, 9 us for zstd and 38 us for zlib (level 1, pages of a recorded guest); encode reads
 * two pages. `costs: cycles` computes those of pages (software-costs).
 */
import * as z from "zod";
import { PAGE_BYTES, QP_CHANNELS_MAX, TICKS_PER_NS } from "../../assembly/abi.ts";
import type { DeviceAhead, DirtyLimit, Features, Multifd, Postcopy, Xbzrle } from "../software-features.ts";
import { field } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { PageCosts } from "./software-costs.ts";
import { parseQuantity, show, ticksOf } from "./units.ts";

const time = (text: string) => field({ measure: "time", min: 0, max: 0.01, text });
const count = (min: number, max: number, text: string) => field({ measure: "count", min, max, text });

/** Of a recorded redis, where contents are not known. */
const OVERFLOW_PERCENT = 1;
const DELTA = "304 B";
/** Keys of deltas that are drawn. */
const DRAWN = ["overflow", "delta"] as const;

const xbzrle = z.strictObject({
  cacheSize: field({
    measure: "bytes",
    min: PAGE_BYTES,
    max: 2 ** 36,
    powerOfTwo: true,
    text: "xbzrle-cache-size",
  }).default("64 MiB"),
  overflow: count(
    0,
    100,
    "per cent of changed pages that go whole, where a trace has no contents; default: 1",
  ).optional(),
  delta: field({
    measure: "bytes",
    min: 1,
    max: PAGE_BYTES,
    text: "what the others are encoded to, where a trace has no contents; default: 304 B",
  }).optional(),
  encode: time("of the thread, a page that the cache has").default("2 us"),
});

const multifd = z.strictObject({
  channels: count(1, QP_CHANNELS_MAX, "multifd-channels").default(2),
  compression: field({
    measure: "choice",
    values: ["none", "zlib", "zstd"],
    text: "multifd-compression; zlib: each page by itself, DEFLATE of level 1; zstd: by ratioPerMille",
  }).default("none"),
  ratioPerMille: count(
    1000,
    100_000,
    "of zstd: 1000 x bytes of a page with contents / what becomes of it",
  ).optional(),
  queue: time("of the migration thread, a page").default("200 ns"),
  page: time(
    "of a channel, a page with contents; default: 2 us, 11 us with zstd, 40 us with zlib",
  ).optional(),
  zeroPage: time("of a channel, a page that is all zero; default: 200 ns").optional(),
});

const postcopy = z.strictObject({
  afterSyncs: count(1, 1000, "synchronisations after which it is asked for, when a window begins").default(2),
  place: time("of the destination, to place a page").default("4 us"),
  fault: time("from a fault to the request's leaving, and from its arrival to the thread").default("20 us"),
});

const dirtyLimit = z.strictObject({
  rate: count(1, 100_000, "vcpu-dirty-limit, MiB/s of a vCPU").default(1),
  period: field({
    measure: "time",
    min: 1e-3,
    max: 1,
    text: "x-vcpu-dirty-limit-period, whole ms: in which rates are counted",
  }).default("1000 ms"),
});

const devicePrecopy = z.strictObject({
  initial: field({ measure: "bytes", min: 1, max: 2 ** 40, text: "of guest.deviceState, sent ahead" }),
  changes: field({ measure: "rate", min: 0, max: 1e12, text: "of that, what grows old" }).default("0 bit/s"),
  every: field({
    measure: "time",
    min: 1e-3,
    max: 100,
    text: "after which it is read again at the earliest",
  }).default("1 s"),
});

/** `off` or keys. */
function capability<T extends z.ZodType>(keys: T, example: string) {
  return z
    .union([z.literal("off"), keys], {
      error: ({ input }) => `${show(input)} is not known here; write off or ${example}`,
    })
    .default("off");
}

/** How many synchronisations a migration without a timeout has. */
export const SYNCS_MAX = 200;

export const softwareSchema = z.strictObject({
  costs: field({
    measure: "choice",
    values: ["times", "cycles"],
    text: "of a page: times of the host preset, or cycles a KiB of what is done with it",
  }).default("times"),
  xbzrle: capability(xbzrle, "{ cacheSize: 64 MiB }"),
  multifd: capability(multifd, "{ channels: 2 }"),
  postcopy: capability(postcopy, "{ afterSyncs: 2 }"),
  dirtyLimit: capability(dirtyLimit, "{ rate: 1 }"),
  devicePrecopy: capability(devicePrecopy, "{ initial: 1 MiB }"),
  maxSyncs: count(1, 100_000, "synchronisations after which it is given up; QEMU never does").default(
    SYNCS_MAX,
  ),
});

export type SoftwareSection = z.output<typeof softwareSchema>;

const ticks = (text: unknown): number => Number(ticksOf(parseQuantity(text, "time")));
const bytes = (text: unknown): number => Number(parseQuantity(text, "bytes").num);
const US = 1000 * TICKS_PER_NS;
const PAGE_US: Readonly<Record<string, number>> = { none: 2, zstd: 11, zlib: 40 };

/** How channels compress: `zlib`, a size for every page with contents, or not. */
export type Sizes = "zlib" | number;

export interface FilledSoftware {
  readonly features: Features;
  /** Keys that count where XBZRLE's deltas are drawn, and are written. */
  readonly drawn: readonly string[];
  readonly sizes: Sizes;
}

/** Of the hosts and the link, what the section needs. */
export interface Around {
  readonly rttTicks: number;
  readonly cycles: PageCosts | null;
  /** Of the destination. */
  readonly deviceStatePerKibTicks: number;
}

function limitOf({ dirtyLimit: d }: SoftwareSection): DirtyLimit | null {
  return d === "off" ? null : { rateMib: Number(d.rate), periodTicks: ticks(d.period) };
}

function aheadOf({ devicePrecopy: d }: SoftwareSection, around: Around): DeviceAhead | null {
  if (d === "off") return null;
  const { num, den } = parseQuantity(d.changes, "rate");
  return {
    bytes: bytes(d.initial),
    // of bits
    changes: Number(num / (8n * den)),
    everyTicks: ticks(d.every),
    loadTicks: around.deviceStatePerKibTicks,
    ackTicks: around.rttTicks,
  };
}

/** The section in ticks. */
export function fillSection(section: SoftwareSection, around: Around): FilledSoftware {
  const { rttTicks, cycles } = around;
  const half = Math.floor(rttTicks / 2);
  const { xbzrle: x, multifd: m, postcopy: p } = section;
  const encoded: Xbzrle | null =
    x === "off"
      ? null
      : {
          cachePages: bytes(x.cacheSize) / PAGE_BYTES,
          overflowOf65536: Math.round((Number(x.overflow ?? OVERFLOW_PERCENT) * 65_536) / 100),
          deltaBytes: bytes(x.delta ?? DELTA),
          encodeTicks: ticks(x.encode),
        };
  const channels: Multifd | null =
    m === "off"
      ? null
      : {
          channels: Number(m.channels),
          queueTicks: ticks(m.queue),
          ...channelCosts(m, cycles),
          romBytes: PAGE_BYTES,
        };
  const after: Postcopy | null =
    p === "off"
      ? null
      : {
          afterSyncs: Number(p.afterSyncs),
          placeTicks: ticks(p.place),
          requestTicks: ticks(p.fault) + half,
          flightTicks: half,
        };
  const features = {
    xbzrle: encoded,
    multifd: channels,
    postcopy: after,
    dirtyLimit: limitOf(section),
    ahead: aheadOf(section, around),
    syncsMax: Number(section.maxSyncs),
  };
  const drawn = x === "off" ? [] : DRAWN.filter((key) => x[key] !== undefined);
  return { features, drawn, sizes: sizesOf(m) };
}

type Channels = Exclude<SoftwareSection["multifd"], "off">;

/** Of a channel: computed from cycles, or as written. */
function channelCosts(m: Channels, cycles: PageCosts | null): Pick<Multifd, "normalTicks" | "zeroTicks"> {
  if (cycles !== null) return { normalTicks: cycles.normalTicks, zeroTicks: cycles.zeroTicks };
  return {
    normalTicks: m.page === undefined ? PAGE_US[m.compression]! * US : ticks(m.page),
    zeroTicks: ticks(m.zeroPage ?? "200 ns"),
  };
}

/** Bytes of a page with contents in the stream, null where they differ from page to page. */
export function pageBytes(m: SoftwareSection["multifd"]): number | null {
  if (m === "off" || m.compression === "none") return PAGE_BYTES;
  return m.compression === "zlib" ? null : Math.round((PAGE_BYTES * 1000) / Number(m.ratioPerMille));
}

function sizesOf(m: SoftwareSection["multifd"]): Sizes {
  return pageBytes(m) ?? "zlib";
}

/** What QEMU refuses together, and what a key needs. */
export function checkSection(
  { xbzrle: x, multifd: m, postcopy: p }: SoftwareSection,
  generates: boolean,
  problems: Problems,
): void {
  const add = (path: readonly string[], what: string): void => problems.add(["software", ...path], what);
  for (const key of x === "off" || !generates ? [] : DRAWN) {
    const what = "is of traces without contents; a generated guest's deltas are encoded; remove it";
    if ((x as Readonly<Record<string, unknown>>)[key] !== undefined)
      problems.add(["software", "xbzrle", key], what, "key");
  }
  if (m === "off") return;
  if (x !== "off") add(["xbzrle"], "is not compatible with multifd in QEMU; write off");
  if (p !== "off") add(["postcopy"], "is not compatible with multifd in QEMU 10; write off");
  const zstd = m.compression === "zstd";
  if (zstd && m.ratioPerMille === undefined)
    add(["multifd", "ratioPerMille"], "is missing: zstd's sizes are not computed; write e.g. 2400");
  if (!zstd && m.ratioPerMille !== undefined)
    problems.add(["software", "multifd", "ratioPerMille"], "is of compression: zstd; remove it", "key");
}

/** With cards nothing of it counts. */
export function checkNoSection(section: SoftwareSection, problems: Problems): void {
  const usual = softwareSchema.parse({});
  for (const key of Object.keys(usual) as (keyof SoftwareSection)[]) {
    if (JSON.stringify(section[key]) === JSON.stringify(usual[key])) continue;
    const what = "has no effect where cards migrate; write placement: qemu, or remove it";
    problems.add(["software", key], what, "key");
  }
}
