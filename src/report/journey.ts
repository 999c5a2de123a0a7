// SPDX-License-Identifier: Apache-2.0
/** The ways of the pages that `--follow` names, as text for a terminal of 100 columns. */
import picocolors from "picocolors";
import type { FollowEvent, FollowedPage, Journey } from "../result/follow.ts";
import type { Migration } from "../result/schema.ts";
import { type Colors, columns } from "./columns.ts";
import { grouped, percent } from "./format.ts";

/** ns with three decimals, grouped. */
function nanoseconds(ns: number): string {
  const [whole, rest] = Math.abs(ns).toFixed(3).split(".");
  return `${ns < 0 ? "-" : ""}${grouped(Number(whole))}.${rest}`;
}

function eventRows(events: readonly FollowEvent[]): string[][] {
  return events.map(({ atNs, untilNs, unit, what }) => [
    nanoseconds(atNs),
    untilNs === null ? "" : nanoseconds(untilNs),
    unit,
    what,
  ]);
}

function journeyText(journey: Journey, migration: Migration, colors: Colors): string {
  const { round, latencyNs, version, stages, events } = journey;
  const ahead = round === 0;
  const end =
    latencyNs === null
      ? ahead
        ? "its record is made ahead"
        : "did not arrive before the run ended"
      : `${nanoseconds(latencyNs)} ns from announcement to memory`;
  const what = version === null ? "" : `, version ${version}`;
  const log = migration.rounds.find(({ index }) => index === round);
  const closed = log === undefined ? [] : [roundEnd(log)];
  const head = ["ns", "until", "where", "what"];
  const rows = stages.map(({ stage, beginNs, waitedNs, tookNs, share }) => [
    stage,
    nanoseconds(beginNs),
    nanoseconds(waitedNs),
    nanoseconds(tookNs),
    percent(share),
  ]);
  const parts = [
    `  ${colors.bold(ahead ? "BEFORE THE REQUEST" : `ROUND ${round}`)}${what}: ${end}`,
    columns(head, eventRows([...events, ...closed]), colors, [2, 3]),
  ];
  if (rows.length > 0)
    parts.push("", columns(["STAGE", "begins ns", "waits ns", "takes ns", "share"], rows, colors));
  return parts.join("\n");
}

/** The end of the round, as the front-end hears of it. */
function roundEnd({ index, startNs, durationNs }: Migration["rounds"][number]): FollowEvent {
  const atNs = Math.round((startNs + durationNs) * 1000) / 1000;
  return { atNs, untilNs: null, unit: "source front-end", what: `round ${index} has been placed` };
}

function pageText(page: FollowedPage, migration: Migration, colors: Colors): string {
  const { journeys, after } = page;
  const name = colors.bold(`page ${page.page}`);
  const rounds = journeys.map(({ round }) => (round === 0 ? "0 (made ahead)" : round)).join(", ");
  const head =
    journeys.length === 0
      ? `${name} (${page.address}) was never sent`
      : `${name} (${page.address}) was sent in round${journeys.length === 1 ? "" : "s"} ${rounds}`;
  const parts = [head, ...journeys.map((journey) => journeyText(journey, migration, colors))];
  if (after.length > 0) {
    const title = journeys.length === 0 ? "  MEANWHILE" : "  AFTERWARDS";
    parts.push(`${title}\n${columns(["ns", "until", "where", "what"], eventRows(after), colors, [2, 3])}`);
  }
  return parts.join("\n\n");
}

/**
 * The pages' ways, a blank line before each page.
 * @param color whether to colour; what the terminal and NO_COLOR say unless given
 */
export function journeysText(
  pages: readonly FollowedPage[],
  migration: Migration,
  color = picocolors.isColorSupported,
): string {
  const colors = picocolors.createColors(color);
  return pages.map((page) => `\n${pageText(page, migration, colors)}\n`).join("");
}
