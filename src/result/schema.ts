// SPDX-License-Identifier: Apache-2.0
/**
 * The result format `dpusim.result/1`: one zod schema, from which the type and the JSON Schema are made.
 * Fields of features that this version does not have are null. Code that runs in a browser imports types
 * alone.
 */
import * as z from "zod";
import type { ResolvedScenario } from "../scenario/types.ts";
import { followedSchema } from "./follow.ts";
import { storageSchema } from "./storage.ts";

export const RESULT_SCHEMA = "dpusim.result/1";

const ns = z.number().min(0).describe("nanoseconds");
const count = z.int().min(0);
const bytes = z.int().min(0).describe("bytes");
const ticks = z
  .string()
  .regex(/^(0|[1-9][0-9]*)$/)
  .describe("decimal ticks of 2^-10 ps");
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe("SHA-256 in hex");
const share = z.number().min(0).max(1);
const later = z.null().describe("not in this version");

const provenance = z.strictObject({
  version: z.string().describe("of dpusim"),
  build: hash.describe("SHA-256 of the program's files and the core"),
  scenario: hash.describe("SHA-256 of the resolved scenario as JSON with sorted keys"),
  trace: hash.nullable().describe("SHA-256 of the trace file; null when the guest generates its writes"),
  traceHint: z.string().nullable().describe("base name of the trace file"),
  seed: count,
});

const round = z.strictObject({
  guest: count.optional().describe("whose it was, from 1; there with guests alone, in the server's list"),
  index: count.describe("from 1; the last is that of the stop window when the migration completed"),
  startNs: ns.describe("since the simulation's start"),
  durationNs: ns.describe("until the peer's word that the round is placed has been handled"),
  normalPages: count,
  zeroPages: count,
  bytesOnWire: bytes.describe(
    "source to destination, both data links, with all framing, of frames that began while it lasted",
  ),
  newDirtyPages: count
    .nullable()
    .describe(
      "pages that became dirty during the round, each once, as its end found them, or the end of one " +
        "that was broken off; null where QEMU's thread broke it off, which counts at the end alone",
    ),
});

const attempt = z.strictObject({
  status: z.enum(["completed", "failed", "cancelled", "not-converged"]),
  reason: z.string().nullable(),
  startNs: ns.describe("since the simulation's start"),
  totalTimeNs: ns,
  transferred: bytes.describe("records of pages"),
  pagesDifferent: count.describe("of the source's memory"),
  fingerprint: hash,
});

const decryption = z.strictObject({
  fullyPlainNs: ns.nullable().describe("from the resume until the last page is plain, which ends the run"),
  resumeSetNs: ns.nullable().describe("from the last page placed until the resume set is plain"),
  resumeSetPages: count,
  sealedAtResume: count.describe("pages"),
  decryptedAsked: count.describe("pages begun because the guest waited for them"),
  neverOpened: count.describe("records of pages that a newer version replaced while they were sealed"),
  engineDutyPercent: z
    .number()
    .min(0)
    .nullable()
    .describe("of the opening engines' time from the resume until all is plain; null when cores open"),
});

const ahead = z.strictObject({
  storedPages: count.describe("pages whose records were made for the store"),
  laterPages: count.describe(
    "of them, those that were read over PCIe after the request, of which the card had not heard yet",
  ),
  sentPages: count.describe("of them, those whose record was sent as it was"),
  stalePages: count.describe("of them, those that were written since, or passed by: they were coded again"),
  storeBytes: bytes.describe("of card DRAM that the records took at the most"),
  storeFullNs: ns.nullable().describe("when no other page had room, since the simulation's start"),
  pcieBytes: bytes.describe("of pages read over PCIe before the request"),
});

const migration = z.strictObject({
  status: z.enum(["completed", "failed", "cancelled", "not-converged"]),
  reason: z.string().nullable(),
  totalTimeNs: ns.describe(
    "from the start to the guest's resumption; where pages move after it, until the source has heard that " +
      "the last one is placed (some us past setup, precopy, stop and residual); or to the failure",
  ),
  downtimeNs: ns.nullable().describe("from suspension to resumption; null when the guest was not suspended"),
  setupTimeNs: ns.nullable().describe("handshake and start of the tracker; null when it was not done"),
  rounds: z.array(round),
  bytesOutsideRounds: bytes
    .nullable()
    .describe(
      "on the wire before the first round, between rounds and after the last: handshake, device state, " +
        "what comes after the resume; of one of several guests from its first turn on, until the next's; " +
        "null with placement qemu",
    ),
  phases: z.strictObject({
    setupNs: ns.nullable().describe("handshake and start of the tracker, or what there was of it"),
    precopyNs: ns
      .nullable()
      .describe(
        "from setup to suspension, or to the end where the guest was not stopped; null when the setup was " +
          "not done, and of a server with several guests, of which each has its own",
      ),
    stopNs: ns
      .nullable()
      .describe(
        "from suspension to resumption, or to the end where it was not resumed; null when it was not " +
          "stopped. Setup, precopy and stop add up to the total, but for what comes after the resume",
      ),
    deviceStateNs: ns
      .nullable()
      .describe("from suspension until all device state is at the destination's host"),
    residualNs: ns
      .nullable()
      .describe(
        "from suspension, or where pages move after it from the resume, until the last page is placed",
      ),
  }),
  ahead: ahead.optional().describe("there with encrypt.when: before-request alone"),
  decryption: decryption.optional().describe("there with encrypt.decrypt: { demand: true } alone"),
  ram: z
    .strictObject({
      transferred: bytes.describe(
        "records of pages, with their headers, before TCP; with placement qemu the whole stream",
      ),
      remaining: bytes,
      total: bytes,
      duplicate: count.describe("all-zero pages"),
      normal: count.describe("pages with contents"),
      "normal-bytes": bytes,
      "dirty-sync-count": count.describe("rounds begun"),
      "dirty-pages-rate": count.describe("newDirtyPages a second of the last round before the stop"),
      mbps: z.number().min(0).describe("transferred x 8 / total time, 10^6 bit/s"),
      "page-size": z.literal(4096),
      "precopy-bytes": bytes.nullable(),
      "downtime-bytes": bytes.nullable(),
      "postcopy-bytes": bytes
        .nullable()
        .describe("records of pages after the resume; null without post-copy"),
      "postcopy-requests": count.nullable().describe("pages asked for; null without post-copy"),
      "multifd-bytes": bytes.optional().describe("there with software.multifd alone"),
    })
    .describe("names of QEMU's query-migrate"),
  "xbzrle-cache": z
    .strictObject({
      "cache-size": bytes,
      bytes: bytes.describe("what the pages became that the cache had"),
      pages: count.describe("that the cache had"),
      "cache-miss": count,
      overflow: count.describe("of pages, those that had changed too much"),
      deltas: z
        .enum(["encoded", "drawn"])
        .describe("from the bytes of pages, or by software.xbzrle's overflow and delta: not known"),
    })
    .optional()
    .describe("there with software.xbzrle alone, names of query-migrate"),
  "dirty-limit-throttle-time-per-round": count
    .optional()
    .describe("us that a vCPU sleeps at most when its dirty ring is full; there with dirty-limit alone"),
  device: z
    .strictObject({
      aheadBytes: bytes.describe("of device state, while the guest ran"),
      ackNs: ns.nullable().describe("when the destination's acknowledgement was there, from the start"),
      stopBytes: bytes.describe("of device state, with the guest stopped"),
    })
    .optional()
    .describe("there with placement qemu; bytes of the stream that none of ram's fields has"),
  attempts: z
    .array(attempt)
    .nullable()
    .describe("that failed before this one; null unless migration.retries asks for more than one"),
  faults: z
    .array(
      z.strictObject({
        what: z.string().describe("the kind, as the scenario names it"),
        side: z.enum(["source", "destination"]).nullable().describe("whose; null where that has no meaning"),
        atNs: ns.describe("when it breaks"),
        effect: z
          .enum(["happened", "too-late", "after-the-end"])
          .describe("too-late: a cancel when everything had been handed over"),
      }),
    )
    .describe("of scenario.faults, in the same order, which is that of time"),
});

const invariant = z.strictObject({
  name: z.string(),
  held: z.boolean(),
  atTicks: ticks.optional().describe("when it broke"),
  left: z.string().optional().describe("the first of the two values that should agree"),
  right: z.string().optional().describe("the second of them"),
});

const check = z.strictObject({
  pagesCompared: count,
  pagesDifferent: count,
  firstDifferentPage: count.nullable(),
  deviceStateEqual: z.boolean().nullable().describe("null unless the migration completed"),
  writtenOff: z
    .strictObject({
      records: count.describe("that were numbered and did not arrive, or met a closed link"),
      linkBytes: bytes.describe("sent and not acknowledged, both ways"),
      inCard: count.describe("of a card that was reset: entries of queues, jobs, SRAM, tags, messages"),
    })
    .nullable()
    .describe("what a link that was given up, or is lost, kept; null for any other"),
  contentCapturedPercent: z.number().min(0).max(100),
  invariants: z.array(invariant),
});

const unit = z.strictObject({
  busyTicks: ticks,
  starvedTicks: ticks.describe("nothing to do"),
  blockedTicks: ticks.describe("the unit behind has no room"),
  waitingTicks: z.record(z.string(), ticks).describe("by cause; causes that did not occur are left out"),
});

const limit = z.strictObject({ unit: z.string(), cause: z.string(), share });
const bottleneck = z.strictObject({
  ...limit.shape,
  unit: z.string().nullable().describe("what limits, a pool's engines as NAME.*; null when nothing was busy"),
  cause: z.string().nullable().describe("busy, or what it waits for"),
  shares: z.array(limit).describe("greatest first"),
});

const bounds = z.strictObject({
  linkNs: ns,
  pcieNs: ns.nullable(),
  compressNs: ns.nullable(),
  encryptNs: ns.nullable(),
  threadNs: ns.optional().describe("of QEMU's thread; there with placement qemu alone"),
  channelsNs: ns.optional().describe("of its channels; there with software.multifd alone"),
  clairvoyantNs: ns.nullable().describe("what clairvoyantBytes take on the link at least"),
  clairvoyantBytes: bytes
    .nullable()
    .describe(
      "on the wire: each page once, after its last write before the stop; null unless a run of one guest " +
        "by cards completed",
    ),
});

const dataLink = z.strictObject({ recordBytes: bytes, payloadBytes: bytes });
const link = z.strictObject({
  goodputBitsPerSecond: z.number().min(0).describe("TCP payload from source to destination / total time"),
  wireBytes: bytes,
  payloadBytes: bytes,
  utilization: share.describe("of the source's transmitter"),
  dataLinks: z
    .strictObject({ state: dataLink, pages: dataLink })
    .nullable()
    .describe("null with placement qemu: one connection carries both"),
});

const guest = z.strictObject({
  slowdown: z
    .number()
    .min(0)
    .nullable()
    .describe(
      "stalls of all vCPUs, and what they lost to shared cores, / (vCPUs x time to suspension, with " +
        "encrypt.ahead from when that begins); null with placement qemu and a bitmap",
    ),
  writeFaults: count,
  falseDirtyPages: count
    .nullable()
    .describe("sent again though not written; null where the tracker marks written pages alone"),
  stallNs: ns,
  cpuStallNs: ns
    .optional()
    .describe(
      "that vCPUs lost to the migration's work on shared cores, part of the slowdown; with cpu.cores",
    ),
  firstTouchNs: z
    .strictObject({ p50: ns, p99: ns })
    .nullable()
    .describe(
      "how long a vCPU waits for a page that is missing; null where none can be, or none was touched",
    ),
  storage: storageSchema.optional().describe("there when the guest has a storage adapter"),
});

const oneOfGuests = z.strictObject({
  migration: migration.describe("times since the evacuation began: a guest that waits is in its setup"),
  check: z.strictObject({
    pagesCompared: count,
    pagesDifferent: count,
    firstDifferentPage: count.nullable().describe("of the guest"),
    deviceStateEqual: z.boolean().nullable().describe("null unless the guest has moved"),
  }),
  guest,
});

const evacuation = z.strictObject({
  order: z.enum(["fair", "shortest-dirty-first", "one-after-another"]),
  moved: count.describe("guests that have"),
  lastNs: ns.nullable().describe("until the last of them had"),
  sumNs: ns.describe("of the times after which each had"),
  worstDowntimeNs: ns.nullable(),
});

const series = z.strictObject({
  windowNs: ns,
  goodput: z
    .array(z.number())
    .nullable()
    .describe(
      "TCP payload from the source, bit/s in each window, a frame's evenly over its time on the wire; null " +
        "with placement qemu",
    ),
  dirtyRate: z.array(z.number()).describe("page writes a second in each window"),
  placed: z
    .array(z.number())
    .nullable()
    .describe("pages whose placement ended in each window; null with placement qemu"),
  pending: later,
});

const stat = z.union([
  z.strictObject({ unit: z.string(), value: z.number() }),
  z.strictObject({
    unit: z.literal("ns"),
    count,
    mean: z.number(),
    p50: z.number(),
    p99: z.number(),
    p999: z.number(),
    max: z.number(),
  }),
]);

/** The whole result. The resolved scenario inside is checked by its hash, not here. */
export const resultSchema = z.strictObject({
  schema: z.literal(RESULT_SCHEMA),
  provenance,
  fingerprint: hash.describe("over the list dpusim.fingerprint/1"),
  scenario: z
    .looseObject({ schema: z.literal("dpusim.scenario/1") })
    .describe("resolved: every default spelt out"),
  elapsedTicks: ticks,
  migration,
  check,
  units: z.record(z.string(), unit).describe("each unit's times add up to elapsedTicks"),
  bottleneck,
  bounds,
  link,
  guest,
  hostCpu: z.strictObject({ sourceCoreSeconds: z.number(), destinationCoreSeconds: z.number() }),
  series,
  guests: z
    .array(oneOfGuests)
    .nullable()
    .describe("each of them; the sections above are the server's. Null unless the scenario has guests"),
  evacuation: evacuation.optional().describe("there with guests alone"),
  stats: z.record(z.string(), stat),
  follow: z.array(followedSchema).optional().describe("of `run --follow`; not part of the fingerprint"),
});

/** A run's result, `dpusim.result/1`. Times in ns, ticks as decimal strings. */
export type Result = Omit<z.output<typeof resultSchema>, "scenario"> & { scenario: ResolvedScenario };
export type Migration = Result["migration"];
export type Ahead = z.output<typeof ahead>;
export type Decryption = z.output<typeof decryption>;
export type GuestResult = z.output<typeof oneOfGuests>;
export type Attempt = z.output<typeof attempt>;
export type Invariant = z.output<typeof invariant>;

/** The JSON Schema (2020-12) of a result file. */
export function resultJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(resultSchema, { io: "output", reused: "inline" });
  return { ...schema, title: RESULT_SCHEMA, description: "A dpusim result" };
}
