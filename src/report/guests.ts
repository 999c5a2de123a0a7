// SPDX-License-Identifier: Apache-2.0
/** The guests of a result: what became of each, and of all together. */
import type { Result } from "../result/schema.ts";
import { type Colors, columns, type Row } from "./columns.ts";
import { grouped, mebibytes, milliseconds, percent, time } from "./format.ts";

const msOf = (ns: number | null): string => (ns === null ? "-" : milliseconds(ns));

/** All that a guest has put on the wire: its rounds, and what goes out beside them. */
const onWire = ({ rounds, bytesOutsideRounds }: Result["migration"]): number =>
  rounds.reduce((sum, { bytesOnWire }) => sum + bytesOnWire, bytesOutsideRounds ?? 0);

/** A line for each guest; none where the server has one. */
export function guestsTable({ guests, evacuation }: Result, colors: Colors): string[] {
  if (guests === null || evacuation === undefined) return [];
  const head = [
    "GUEST",
    "MiB",
    "status",
    "waited ms",
    "done ms",
    "down ms",
    "rounds",
    "MiB on wire",
    "slowed",
  ];
  const rows: Row[] = guests.map(({ migration, check, guest }, k) => [
    k + 1,
    mebibytes(migration.ram.total),
    check.pagesDifferent === 0 ? migration.status : colors.red("differs"),
    msOf(migration.setupTimeNs),
    migration.status === "completed" ? msOf(migration.totalTimeNs) : "-",
    msOf(migration.downtimeNs),
    grouped(migration.rounds.length),
    mebibytes(onWire(migration)),
    guest.slowdown === null ? "" : percent(guest.slowdown),
  ]);
  const { order, moved, lastNs, sumNs, worstDowntimeNs } = evacuation;
  const ends =
    lastNs === null || worstDowntimeNs === null
      ? "none has moved"
      : `the last is there after ${time(lastNs)}, the mean after ${time(sumNs / moved)}, ` +
        `the worst stood still for ${time(worstDowntimeNs)}`;
  return [`${columns(head, rows, colors, [0, 2])}\n  ${order}: ${ends}`];
}
