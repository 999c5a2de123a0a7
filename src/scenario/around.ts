// SPDX-License-Identifier: Apache-2.0
/** What goes on around a migration: other I/O of the cards. */
import * as z from "zod";
import { ATOMIC_BYTES, isAtomic, operations } from "../atomics.ts";
import { keptTags } from "../params.ts";
import { field } from "./fields.ts";
import type { KeySpec } from "./keys.ts";
import type { Problems } from "./problems.ts";
import type { ResolvedSide, ResolvedTenant } from "./types.ts";
import { parseQuantity, show, ticksOf } from "./units.ts";

export const spec = (of: KeySpec): z.ZodType<string | number> => field(of);
export const word = <T extends string>(values: readonly T[], text: string): z.ZodType<T> =>
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
      op: word([...operations], "what an operation does").default("read"),
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

type Tenant = z.output<typeof tenantSchema>;

const bytesOf = (text: unknown): number => Number(parseQuantity(text, "bytes").num);
export const ticks = (text: unknown): string => String(ticksOf(parseQuantity(text, "time")));

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

/** A tenant needs a window that holds an operation, and a worker for each kind of them. */
export function checkTenant(tenant: Tenant, problems: Problems): void {
  if (tenant === "off") return;
  if (bytesOf(tenant.window) < bytesOf(tenant.size))
    problems.add(["tenant", "window"], "does not hold one operation; write at least its size");
  if (isAtomic(tenant.op) && !ATOMIC_BYTES.includes(bytesOf(tenant.size)))
    problems.add(["tenant", "size"], `is not that of an AtomicOp (${tenant.op}); write 4 B or 8 B`);
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
