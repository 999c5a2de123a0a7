// SPDX-License-Identifier: Apache-2.0
/** What goes on around a migration: other I/O of the cards, and what breaks. */
import * as z from "zod";
import { keptTags } from "../params.ts";
import { field } from "./fields.ts";
import type { KeySpec } from "./keys.ts";
import type { Problems } from "./problems.ts";
import type { ResolvedFault, ResolvedSide, ResolvedTenant } from "./types.ts";
import { parseQuantity, show, ticksOf } from "./units.ts";

const SIDES = ["source", "destination"] as const;

const spec = (of: KeySpec): z.ZodType<string | number> => field(of);
const word = <T extends string>(values: readonly T[], text: string): z.ZodType<T> =>
  z
    .enum(values as [T, ...T[]], {
      error: ({ input }) =>
        input === undefined
          ? `is missing; write ${values.join(" or ")}`
          : `${show(input)} is not known here; write ${values.join(" or ")}`,
    })
    .describe(text) as unknown as z.ZodType<T>;

/** I/O of a card that is not the migration's. */
export const tenantSchema = z.union(
  [
    z.literal("off"),
    z.strictObject({
      side: word(["source", "destination", "both"], "whose card").default("both"),
      op: word(["read", "write", "readwrite"], "what an operation does").default("read"),
      size: spec({ measure: "bytes", min: 1, max: 2 ** 20, text: "bytes of an operation" }).default("4 KiB"),
      window: spec({
        measure: "bytes",
        min: 64,
        max: 2 ** 40,
        text: "memory that operations are spread over",
      }).default("64 MiB"),
      workers: spec({ measure: "count", min: 1, max: 1024, text: "operations under way at most" }).default(4),
      every: spec({ measure: "time", min: 0, max: 1, text: "between two operations at least" }).default(
        "0 s",
      ),
      tags: spec({ measure: "count", min: 1, max: 256, text: "tags kept for them" }).default(8),
    }),
  ],
  { error: ({ input }) => `${show(input)} is not known here; write off or { op: read, size: 4 KiB }` },
);

/** What breaks: a link that is down for a while. */
export const faultSchema = z.strictObject({
  at: spec({ measure: "time", min: 0, max: 9000, text: "when it breaks" }),
  what: word(["link-down", "pcie-down"], "the external link, or a card's PCIe link"),
  for: spec({ measure: "time", min: 0, max: 3600, text: "how long" }),
  side: word(SIDES, "of pcie-down: whose").optional(),
});

type Tenant = z.output<typeof tenantSchema>;
type Fault = z.output<typeof faultSchema>;

const bytesOf = (text: unknown): number => Number(parseQuantity(text, "bytes").num);
const ticks = (text: unknown): string => String(ticksOf(parseQuantity(text, "time")));

/** The resolved tenant. */
export function fillTenant(tenant: Tenant): ResolvedTenant {
  if (tenant === "off") return "off";
  const { side, op } = tenant;
  return {
    side,
    op,
    sizeBytes: bytesOf(tenant.size),
    windowBytes: bytesOf(tenant.window),
    workers: Number(tenant.workers),
    everyTicks: ticks(tenant.every),
    tags: Number(tenant.tags),
  };
}

/** The resolved faults, in order of time. */
export function fillFaults(faults: readonly Fault[]): ResolvedFault[] {
  return faults
    .map(({ at, what, side, for: duration }) => ({
      atTicks: ticks(at),
      what,
      forTicks: ticks(duration),
      side: side ?? null,
    }))
    .toSorted((a, b) => Number(BigInt(a.atTicks) - BigInt(b.atTicks)));
}

/** A tenant needs a window that holds an operation, and a worker for each kind of them. */
export function checkTenant(tenant: Tenant, problems: Problems): void {
  if (tenant === "off") return;
  if (bytesOf(tenant.window) < bytesOf(tenant.size))
    problems.add(["tenant", "window"], "does not hold one operation; write at least its size");
  if (tenant.op === "readwrite" && Number(tenant.workers) < 2)
    problems.add(["tenant", "workers"], "1 cannot read and write; write at least 2");
}

/** A tenant's tags are those that messages, descriptors, translations and half of the page reads leave. */
export function checkTenantTags(
  tenant: Tenant,
  sides: Readonly<Record<string, ResolvedSide>>,
  ats: string | number,
  problems: Problems,
): void {
  if (tenant === "off") return;
  for (const [name, side] of Object.entries(sides)) {
    if (tenant.side !== "both" && tenant.side !== name) continue;
    const { vsock, descriptors } = keptTags(side);
    const asked = ats === "on" ? side.card.ats.requests : 0;
    const most = Math.floor((side.pcie.tags - vsock - descriptors - asked) / 2);
    if (Number(tenant.tags) > most)
      problems.add(["tenant", "tags"], `are more than the ${name} card can spare; write at most ${most}`);
  }
}

/** One fault of a kind and side; a lost frame needs somebody who sends it again. */
export function checkFaults(faults: readonly Fault[], recovers: boolean, problems: Problems): void {
  const seen = new Set<string>();
  for (const [index, fault] of faults.entries()) {
    const isPcie = fault.what === "pcie-down";
    if (isPcie && fault.side === undefined)
      problems.add(["faults", String(index), "side"], "is missing; write source or destination", "key");
    if (!isPcie && fault.side !== undefined)
      problems.add(["faults", String(index), "side"], "has no meaning for link-down; remove it", "key");
    if (!isPcie && !recovers)
      problems.add(
        ["faults", String(index), "what"],
        "loses frames; write link.congestion: cubic too, or link.transport: udp",
      );
    const name = `${fault.what} ${fault.side ?? ""}`;
    if (seen.has(name))
      problems.add(
        ["faults", String(index)],
        `${name.trim()} is there already; one of a kind can be simulated`,
      );
    seen.add(name);
  }
}
