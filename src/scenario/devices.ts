// SPDX-License-Identifier: Apache-2.0
/** Devices of the guest that write its memory, and what sees them: keys, and what does not fit. */
import * as z from "zod";
import { DEVICE_WRITES_MAX, DEVICES_MAX } from "../../assembly/abi.ts";
import { field } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { ResolvedDevice, ResolvedDeviceTracker } from "./types-tracker.ts";
import { parseQuantity, ticksOf, ticksPer, toRatio, UnitError } from "./units.ts";

const PAGE_BYTES = 4096;
const SLOTS_MAX = 32768;
const DEFAULT_SLOTS = 1024;
/** From an examination to the next (assumed). */
const DEFAULT_POLL = "50 us";

const bytes = (text: string, min: number, max: number) => field({ measure: "bytes", min, max, text });
const choice = (values: readonly string[], text: string) => field({ measure: "choice", values, text });

const writesSchema = z.strictObject({
  rate: field({ measure: "events", min: 1, max: 1e9, text: "writes per second at most" }),
  bytes: bytes("bytes of a write, at the beginning of a page", 1, PAGE_BYTES).default("4 KiB"),
  at: bytes("where its buffers begin in the guest's memory", 0, 2 ** 40).default("0 B"),
  workingSet: bytes("its buffers, whole 4 KiB pages", PAGE_BYTES, 2 ** 40),
  pattern: choice(["sequential", "uniform"], "which buffer is written next").default("sequential"),
  seed: field({ measure: "count", min: 0, max: 2 ** 32 - 1, text: "seed of the pattern" }).default(0),
  outstanding: field({
    measure: "count",
    min: 1,
    max: DEVICE_WRITES_MAX,
    text: "writes under way at most",
  }).default(16),
  fetch: field({
    measure: "time",
    min: 0,
    max: 0.1,
    text: "from a write's beginning to its data, which comes from a network or a disk",
  }).default("0 s"),
});

/** A function of the source's card that is the guest's. */
export const devicesSchema = z
  .array(
    z.strictObject({
      name: z
        .string("is no name; write e.g. nic")
        .regex(/^[a-z][a-z0-9-]{0,31}$/, "is no name; write small letters, digits and -")
        .describe("name of the device"),
      writes: writesSchema,
    }),
    { error: "is no list; write e.g. [{ name: nic, writes: { rate: 100000 /s, workingSet: 1 MiB } }]" },
  )
  .max(DEVICES_MAX, `are more than ${DEVICES_MAX}; write fewer`)
  .describe("virtual functions of the guest that write its memory")
  .default([]);

/** Of a tracker: what sees devices, and the ring of records where that does. */
export const deviceTrackerFields = {
  devices: choice(
    ["none", "wilson-ring", "iommu-dirty-bits"],
    "how pages that devices write are found, beside those of the CPU",
  ).optional(),
  records: z
    .strictObject({
      slots: field({
        measure: "count",
        min: 64,
        max: SLOTS_MAX,
        powerOfTwo: true,
        text: "slots of the ring",
      }).default(DEFAULT_SLOTS),
      bytes: field({ measure: "octets", values: [8, 16, 32, 64], text: "size of a record" }).default(16),
      order: choice(
        ["after-data", "before-data"],
        "a record is put behind its write's data, or when the write begins",
      ).default("after-data"),
      release: choice(
        ["complete", "examined"],
        "a slot is given back when its write is complete, or once examined (unsafe with before-data)",
      ).default("complete"),
      full: choice(
        ["stall", "overflow", "spill", "fail"],
        "without a free slot: the device waits, a flag tells of all buffers, a bitmap of pages, or it fails",
      ).default("stall"),
      poll: z
        .union([
          z.literal("none"),
          field({ measure: "time", min: 1e-6, max: 1, text: "from an examination to the next by the clock" }),
        ])
        .describe("from an examination to the next by the clock, or none")
        .default(DEFAULT_POLL),
    })
    .optional(),
};

type Devices = z.output<typeof devicesSchema>;
type Given = z.output<z.ZodObject<typeof deviceTrackerFields>>;

const bytesOf = (text: unknown): number => Number(parseQuantity(text, "bytes").num);
const ticksOfTime = (text: unknown): number => Number(ticksOf(parseQuantity(text, "time")));

function checkWrites({ writes }: Devices[number], path: readonly (string | number)[], problems: Problems) {
  for (const key of ["at", "workingSet"] as const) {
    if (bytesOf(writes[key]) % PAGE_BYTES === 0) continue;
    problems.add([...path, key], "is no whole number of 4 KiB pages; write a multiple of 4 KiB");
  }
  if (writes.pattern !== "uniform" && Number(writes.seed) !== 0)
    problems.add([...path, "seed"], "has no effect on a sequence; write pattern: uniform", "key");
  try {
    toRatio(ticksPer(parseQuantity(writes.rate, "events")));
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    problems.add([...path, "rate"], error.message);
  }
}

/** What does not fit each other: devices, what sees them, and the rest of the scenario. */
export function checkDevices(
  devices: Devices,
  tracker: Given & { kind: string },
  internal: { iommu: string | number; ats: string | number },
  problems: Problems,
): void {
  for (const [i, device] of devices.entries()) {
    checkWrites(device, ["guest", "devices", i, "writes"], problems);
    if (devices.findIndex((other) => other.name === device.name) < i)
      problems.add(["guest", "devices", i, "name"], "is that of another device; write another");
  }
  if (devices.length === 0) {
    if (tracker.devices !== undefined)
      problems.add(["tracker", "devices"], "has no effect without guest.devices; remove it", "key");
  } else if (tracker.devices === undefined) {
    const what =
      `write memory that ${tracker.kind} does not see; write tracker.devices: wilson-ring or ` +
      "iommu-dirty-bits, or none to see what is lost";
    problems.add(["guest", "devices"], what);
  }
  const { records } = tracker;
  if (tracker.devices !== "wilson-ring" && records !== undefined)
    problems.add(["tracker", "records"], "are of a ring; write tracker.devices: wilson-ring", "key");
  if (tracker.devices === "iommu-dirty-bits") {
    if (internal.iommu !== "4KiB")
      problems.add(["tracker", "devices"], "needs bits of 4 KiB pages; write internal.iommu: 4KiB");
    if (internal.ats !== "off")
      problems.add(["tracker", "devices"], "is not modelled with ATS; write internal.ats: off");
  }
  if (records === undefined) return;
  const most = devices.reduce((sum, { writes }) => sum + Number(writes.outstanding), 0);
  if (Number(records.slots) < most)
    problems.add(["tracker", "records", "slots"], `are fewer than the ${most} writes under way; write more`);
  if (records.release === "examined" && records.order !== "before-data")
    problems.add(["tracker", "records", "release"], "has no effect with after-data; remove it", "key");
}

/** The resolved devices; undefined where there are none. */
export function fillDevices(devices: Devices): ResolvedDevice[] | undefined {
  if (devices.length === 0) return undefined;
  return devices.map(({ name, writes }) => ({
    name,
    ticksPerWrite: toRatio(ticksPer(parseQuantity(writes.rate, "events"))),
    bytes: bytesOf(writes.bytes),
    firstPage: bytesOf(writes.at) / PAGE_BYTES,
    pages: bytesOf(writes.workingSet) / PAGE_BYTES,
    pattern: writes.pattern as ResolvedDevice["pattern"],
    seed: Number(writes.seed),
    outstanding: Number(writes.outstanding),
    fetchTicks: ticksOfTime(writes.fetch),
  }));
}

/** What sees devices, resolved; undefined where nothing is said of it. */
export function fillDeviceTracker({ devices, records }: Given): ResolvedDeviceTracker | undefined {
  if (devices === undefined) return undefined;
  const kind = devices as ResolvedDeviceTracker["kind"];
  if (kind !== "wilson-ring") return { kind, records: null };
  const { slots, bytes: size, order, release, full, poll } = recordsOf(records);
  return {
    kind,
    records: {
      slots: Number(slots),
      bytes: typeof size === "number" ? size : bytesOf(size),
      order: order as "after-data",
      release: release as "complete",
      full: full as "stall",
      pollTicks: poll === "none" ? null : ticksOfTime(poll),
    },
  };
}

function recordsOf(records: Given["records"]): NonNullable<Given["records"]> {
  return records ?? deviceTrackerFields.records.unwrap().parse({});
}
