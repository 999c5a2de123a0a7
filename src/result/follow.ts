// SPDX-License-Identifier: Apache-2.0
/** What `--follow` adds to a result: the way of single pages. Not part of the fingerprint. */
import * as z from "zod";

const ns = z.number().describe("ns since the start of the simulation, three decimals");

const event = z.strictObject({
  atNs: ns,
  untilNs: ns.nullable().describe("null for what has no length"),
  unit: z.string(),
  what: z.string(),
});

const stage = z.strictObject({
  stage: z.string(),
  beginNs: ns,
  waitedNs: z.number().describe("since the stage before had the page ready"),
  tookNs: z.number(),
  share: z.number().describe("of the latency, waiting and work"),
});

const journey = z.strictObject({
  round: z.number().int(),
  announcedNs: ns,
  landedNs: ns.nullable().describe("null when the run ended before"),
  latencyNs: z.number().nullable(),
  version: z.number().int().nullable().describe("writes before it was read; null when it was not"),
  torn: z.boolean().describe("written while it was read: it is sent again"),
  stages: z.array(stage),
  events: z.array(event),
});

/** A page and each of its ways to the destination. */
export const followedSchema = z.strictObject({
  page: z.number().int(),
  address: z.string(),
  journeys: z.array(journey),
  after: z.array(event).describe("what happened to it after its last way"),
});

export type FollowEvent = z.output<typeof event>;
export type FollowStage = z.output<typeof stage>;
export type Journey = z.output<typeof journey>;
export type FollowedPage = z.output<typeof followedSchema>;
