// SPDX-License-Identifier: Apache-2.0
/** How dirty pages are found: the keys of a tracker, and what does not fit. */
import * as z from "zod";
import { GROUP_MAX, PML_ENTRIES, RING_ENTRIES_MAX } from "../../assembly/abi.ts";
import { ticks } from "./around.ts";
import { deviceTrackerFields, fillDeviceTracker } from "./devices.ts";
import { field, supported } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { ResolvedTracker } from "./types-tracker.ts";

const GROUP = { measure: "count", min: 1, max: GROUP_MAX, powerOfTwo: true } as const;
const RING = { measure: "count", min: 64, max: RING_ENTRIES_MAX, powerOfTwo: true } as const;
/** dirty-ring-size of QEMU's documentation. */
const DEFAULT_RING = 4096;

export const trackerSchema = z.strictObject({
  kind: supported(
    ["write-protect", "bitmap", "pml", "dirty-ring"],
    "none",
    "how pages that the CPU writes are found",
  ).default("write-protect"),
  group: field({ ...GROUP, text: "pages that a fault makes writable at most" }).default(1),
  groups: field({
    measure: "choice",
    values: ["static", "counter", "contiguity"],
    text: "size of a group: always the most, by how often it was sent again, or by writable pages below",
  }).default("static"),
  ring: field({ ...RING, text: "entries of a vCPU's dirty ring" }).default(DEFAULT_RING),
  start: field({
    measure: "choice",
    values: ["resident", "on-demand"],
    text: "resident, or started by the migration: a bare-metal server",
  }).default("resident"),
  startLatency: field({
    measure: "time",
    min: 1e-9,
    max: 600,
    text: "until a tracker that is started on demand is there; default: 1 s, assumed",
  }).optional(),
  order: field({
    measure: "choice",
    values: ["clear-before-read", "clear-after-read"],
    text: "marks are cleared before their pages are read, or (unsafe, to see it found) after",
  }).default("clear-before-read"),
  ...deviceTrackerFields,
});

/** Assumed: a small hypervisor is loaded and takes the server over. */
const START_LATENCY = "1 s";

type Tracker = z.output<typeof trackerSchema>;

/** Keys of a tracker that has no use for them. */
export function checkTracker(tracker: Tracker, problems: Problems): void {
  if (tracker.kind !== "write-protect" && tracker.group !== 1)
    problems.add(["tracker", "group"], "is of faults; write kind: write-protect, or group: 1");
  if (tracker.group === 1 && tracker.groups !== "static")
    problems.add(["tracker", "groups"], "has no effect on single pages; write a group of 2 to 512", "key");
  if (tracker.kind !== "dirty-ring" && tracker.ring !== DEFAULT_RING)
    problems.add(["tracker", "ring"], "has no effect here; write kind: dirty-ring, or remove it", "key");
  if (tracker.start !== "on-demand" && tracker.startLatency !== undefined)
    problems.add(["tracker", "startLatency"], "has no effect here; write start: on-demand too", "key");
  const single = (tracker.kind === "write-protect" || tracker.kind === "bitmap") && tracker.group === 1;
  if (tracker.order !== "clear-before-read" && (!single || tracker.devices !== undefined))
    problems.add(["tracker", "order"], "is of write-protect and bitmap alone, single pages, no devices");
}

/** The resolved tracker. */
export function fillTracker(tracker: Tracker): ResolvedTracker {
  const { kind, group, groups, ring, order, start, startLatency } = tracker;
  const entries = kind === "pml" ? PML_ENTRIES : kind === "dirty-ring" ? Number(ring) : 0;
  const devices = fillDeviceTracker(tracker);
  return {
    kind,
    group: Number(group),
    groups: groups as ResolvedTracker["groups"],
    logEntries: entries,
    ...(start === "on-demand" ? { startTicks: ticks(startLatency ?? START_LATENCY) } : {}),
    ...(order === "clear-before-read" ? {} : { order: "clear-after-read" as const }),
    ...(devices === undefined ? {} : { devices }),
  };
}
