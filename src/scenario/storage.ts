// SPDX-License-Identifier: Apache-2.0
/**
 * A storage adapter of the guest (`guest.storage`): its keys, and what does not fit. All numbers are assumed;
 * the documents name no adapter.
 */
import * as z from "zod";
import { STORAGE_DEPTH_MAX, STORAGE_QUEUE_MAX } from "../../assembly/abi.ts";
import { keptTags } from "../params.ts";
import { spec, word } from "./around.ts";
import { ticksPerByte } from "./fill.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { ResolvedSide } from "./types.ts";
import type { ResolvedStorage } from "./types-storage.ts";
import { compare, parseQuantity, show, ticksOf, UnitError } from "./units.ts";

const time = (max: number, text: string) => spec({ measure: "time", min: 0, max, text });
const count = (min: number, max: number, text: string) => spec({ measure: "count", min, max, text });

const service = z.strictObject({
  min: time(1, "shortest service").default("20 us"),
  median: time(1, "in the median").default("80 us"),
  p99: time(1, "of 99 per cent at most").default("300 us"),
  max: time(1, "longest service").default("1 ms"),
});

const QUEUE = { measure: "count", min: 16, max: STORAGE_QUEUE_MAX, powerOfTwo: true } as const;
const POLICIES = ["suspend", "drain", "pf-fallback", "cancel", "none"] as const;
/** Keys that one policy alone has a use for, with the values that they have else. */
const OF_A_POLICY = { pfCost: ["pf-fallback", "5 us"], cancelLatency: ["cancel", "10 us"] } as const;

export const storageSchema = z.strictObject({
  depth: count(1, STORAGE_DEPTH_MAX, "requests under way at most").default(32),
  queue: spec({ ...QUEUE, text: "entries of the request queue and of the response queue" }).default(128),
  size: spec({ measure: "bytes", min: 512, max: 131072, text: "data of a request" }).default("4 KiB"),
  reads: count(0, 100, "per cent of requests that read").default(70),
  every: time(0.01, "between two requests in the mean; 0 s: as soon as one is answered").default("20 us"),
  service: service.prefault({}),
  quiesce: word(POLICIES, "what is done with requests when the guest moves").default("suspend"),
  at: word(["start", "stop"], "when the adapter is told: before the first round, or after the stop").default(
    "start",
  ),
  suspendLatency: time(0.1, "from being told until no request is taken").default("10 us"),
  resumeLatency: time(0.1, "from a state that is set to the first request").default("20 us"),
  stateBytes: spec({
    measure: "bytes",
    min: 64,
    max: 2 ** 20,
    text: "state of the adapter beside the requests in it",
  }).default("4 KiB"),
  stateRate: spec({
    measure: "rate",
    min: 1e6,
    max: 1e12,
    text: "of a state between the functions of a card",
  }).default("1 Gbit/s"),
  pfCost: time(0.1, "of the intermediary's core for a request, and for a response").default("5 us"),
  cancelLatency: time(0.1, "to cancel one request").default("10 us"),
  tags: count(1, 64, "PCIe tags kept for it").default(8),
  unsafe: word(["no", "yes"], "whether requests may be lost").default("no"),
});

type Storage = z.output<typeof storageSchema>;

const bytesOf = (text: unknown): number => Number(parseQuantity(text, "bytes").num);
const ticks = (text: unknown): number => Number(ticksOf(parseQuantity(text, "time")));

function checkPolicy(storage: Storage, problems: Pick<Problems, "add">): void {
  const add = (key: string, what: string): void => problems.add(["guest", "storage", key], what);
  const { quiesce, unsafe } = storage;
  if (quiesce === "none" && unsafe === "no")
    add("quiesce", "none loses requests; write suspend, drain, pf-fallback or cancel, or unsafe: yes too");
  if (quiesce !== "none" && unsafe === "yes")
    add("unsafe", `has no effect with quiesce: ${quiesce}, which loses nothing; write no`);
  if (quiesce === "none" && storage.at === "stop") add("at", "has no effect with quiesce: none; remove it");
  if (quiesce === "pf-fallback" && storage.at === "stop")
    add("at", "leaves no time for requests through the PF; write start");
  for (const [key, [policy, usual]] of Object.entries(OF_A_POLICY)) {
    if (quiesce === policy || storage[key as keyof typeof OF_A_POLICY] === usual) continue;
    add(key, `has no effect with quiesce: ${quiesce}; write quiesce: ${policy}, or remove it`);
  }
}

/** A queue that holds all requests, times in order, a rate that is exact. */
export function checkStorage(storage: Storage | undefined, problems: Pick<Problems, "add">): void {
  if (storage === undefined) return;
  const add = (key: string, what: string): void =>
    problems.add(["guest", "storage", ...key.split(".")], what);
  if (Number(storage.queue) < Number(storage.depth))
    add("queue", `does not hold ${storage.depth} requests; write at least that, or a smaller depth`);
  if (bytesOf(storage.size) % 512 !== 0) add("size", "is no whole number of 512 B blocks; write e.g. 4 KiB");
  const steps = ["min", "median", "p99", "max"] as const;
  for (const [i, key] of steps.slice(1).entries()) {
    const below = storage.service[steps[i]!];
    if (compare(parseQuantity(storage.service[key], "time"), parseQuantity(below, "time")) >= 0) continue;
    add(`service.${key}`, `is shorter than ${steps[i]}; write at least ${show(below)}`);
  }
  try {
    ticksPerByte(parseQuantity(storage.stateRate, "rate"));
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    add("stateRate", `${show(storage.stateRate)} ${error.message}`);
  }
  checkPolicy(storage, problems);
}

/** Its tags are those that messages, descriptors, translations, a tenant and half of the page reads leave. */
export function checkStorageTags(
  { guest, internal, tenant, delta }: Scenario,
  sides: Readonly<Record<string, ResolvedSide>>,
  problems: Problems,
): void {
  const { storage } = guest;
  if (storage === undefined) return;
  const alone = (key: string): void =>
    problems.add(["guest", "storage"], `is not supported yet beside ${key}; remove one of them`, "key");
  if (guest.devices.length > 0) alone("guest.devices");
  if (delta !== "off") alone("delta");
  for (const [name, side] of Object.entries(sides)) {
    const { vsock, descriptors } = keptTags(side);
    const asked = internal.ats === "on" ? side.card.ats.requests : 0;
    const others = tenant === "off" ? 0 : Number(tenant.tags);
    const most = Math.floor((side.pcie.tags - vsock - descriptors - asked - others) / 2);
    if (Number(storage.tags) > most)
      problems.add(
        ["guest", "storage", "tags"],
        `are more than the ${name} card can spare; write at most ${most}`,
      );
  }
}

/** The resolved adapter, none where the guest has none. */
export function fillStorage(storage: Storage | undefined): { storage?: ResolvedStorage } {
  if (storage === undefined) return {};
  const { min, median, p99, max } = storage.service;
  return {
    storage: {
      depth: Number(storage.depth),
      queue: Number(storage.queue),
      sizeBytes: bytesOf(storage.size),
      readPercent: Number(storage.reads),
      everyTicks: ticks(storage.every),
      service: {
        minTicks: ticks(min),
        medianTicks: ticks(median),
        p99Ticks: ticks(p99),
        maxTicks: ticks(max),
      },
      quiesce: storage.quiesce,
      at: storage.at,
      suspendTicks: ticks(storage.suspendLatency),
      resumeTicks: ticks(storage.resumeLatency),
      stateBytes: bytesOf(storage.stateBytes),
      stateTicksPerByte: ticksPerByte(parseQuantity(storage.stateRate, "rate")),
      pfTicks: ticks(storage.pfCost),
      cancelTicks: ticks(storage.cancelLatency),
      tags: Number(storage.tags),
    },
  };
}
