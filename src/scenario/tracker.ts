// SPDX-License-Identifier: Apache-2.0
/** How dirty pages are found: the keys of a tracker, and what does not fit. */
import * as z from "zod";
import { GROUP_MAX } from "../../assembly/abi.ts";
import { field, supported } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { ResolvedTracker } from "./types-tracker.ts";

const GROUP = { measure: "count", min: 1, max: GROUP_MAX, powerOfTwo: true } as const;

export const trackerSchema = z.strictObject({
  kind: supported(
    ["write-protect", "bitmap"],
    ["pml", "dirty-ring", "wilson-ring", "ring", "iommu", "device", "union"],
    "how dirty pages are found",
  ).default("write-protect"),
  group: field({ ...GROUP, text: "pages that a fault makes writable at most" }).default(1),
  groups: field({
    measure: "choice",
    values: ["static", "counter", "contiguity"],
    text: "size of a group: always the most, by how often it was sent again, or by writable pages below",
  }).default("static"),
});

type Tracker = z.output<typeof trackerSchema>;

/** Keys of a tracker that has no use for them. */
export function checkTracker(tracker: Tracker, problems: Problems): void {
  if (tracker.kind !== "write-protect" && tracker.group !== 1)
    problems.add(["tracker", "group"], "is of faults; write kind: write-protect, or group: 1");
  if (tracker.group === 1 && tracker.groups !== "static")
    problems.add(["tracker", "groups"], "has no effect on single pages; write a group of 2 to 512", "key");
}

/** The resolved tracker. */
export function fillTracker({ kind, group, groups }: Tracker): ResolvedTracker {
  return { kind, group: Number(group), groups: groups as ResolvedTracker["groups"] };
}
