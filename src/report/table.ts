// SPDX-License-Identifier: Apache-2.0
/**
 * A result as text for a terminal of 100 columns: how it ended, rounds, where the time went, what was
 * checked.
 */
import picocolors from "picocolors";
import * as abi from "../../assembly/abi.ts";
import { frameBytes, segmentBytes } from "../params.ts";
import type { Ahead, Decryption, Result } from "../result/schema.ts";
import { type Colors, columns, type Row } from "./columns.ts";
import { amount, bitRate, grouped, mebibytes, milliseconds, percent, time } from "./format.ts";
import { guestsTable } from "./guests.ts";

const STATUS_COLOR = {
  completed: "green",
  "not-converged": "yellow",
  cancelled: "yellow",
  failed: "red",
} as const;
function headline(result: Result, name: string, colors: Colors): string {
  const { status, reason, totalTimeNs, downtimeNs } = result.migration;
  const word = colors.bold(colors[STATUS_COLOR[status]](status));
  const never = result.migration.phases.stopNs === null;
  const still = never ? "the guest was never stopped" : "the guest is stopped";
  const whose = result.guests === null ? "the guest stood still for" : "no guest stood still for more than";
  const stop = downtimeNs === null ? still : `${whose} ${time(downtimeNs)}`;
  const why = reason === null ? "" : `\n  ${reason}`;
  const more = `${faults(result)}${attempts(result)}`;
  return `${colors.bold(name)}: ${word} after ${time(totalTimeNs)}, ${stop}${why}${more}`;
}

const EFFECTS = {
  happened: "",
  "too-late": ", which had no effect: everything had been handed over",
  "after-the-end": ", which had no effect: the migration had ended",
} as const;

/** A line for each attempt before the last. */
function attempts({ migration }: Result): string {
  const lines = (migration.attempts ?? []).map(
    ({ status, reason, startNs }, i) =>
      `\n  attempt ${i + 1}, begun at ${time(startNs)}, ${status}: ${reason}`,
  );
  return lines.join("");
}

/** What the scenario says of a fault beside its kind, side and time. */
function extent(fault: Result["scenario"]["faults"][number] | undefined): string {
  const { forTicks = null, unit, engines, ram, records } = fault ?? {};
  const words = [
    engines === undefined ? "" : `${unit} × ${engines}`,
    records === undefined ? "" : `${records} records`,
    ram === undefined ? "" : `RAM ${ram}`,
    forTicks === null ? "" : `for ${time(Number(forTicks) / abi.TICKS_PER_NS)}`,
  ].filter((word) => word !== "");
  return words.length === 0 ? "" : ` (${words.join(", ")})`;
}

/** A line for each fault of the scenario. */
function faults({ migration, scenario }: Result): string {
  const lines = migration.faults.map(({ what, side, atNs, effect }, i) => {
    const whose = side === null ? "" : ` of the ${side}`;
    return `\n  fault  ${what}${whose}${extent(scenario.faults[i])} at ${time(atNs)}${EFFECTS[effect]}`;
  });
  return lines.join("");
}

function setting(result: Result): string {
  const { guest, sides, link, compress, encrypt, internal, tracker, content } = result.scenario;
  const { traceHint } = result.provenance;
  const tiles = guest.tile > 1 ? `, ${guest.tile} copies` : "";
  const from = traceHint === null ? `generated, ${guest.generate?.pattern}` : `${traceHint}${tiles}`;
  const many = result.guests === null ? "" : `${result.guests.length} of them, `;
  const memory = `${many}${mebibytes(result.migration.ram.total)} MiB`;
  const { software } = result.scenario;
  const card = (of: "source" | "destination"): string =>
    software === undefined ? ` + ${sides[of].card.preset}` : "";
  const side = (of: "source" | "destination"): string => `${sides[of].host.preset}${card(of)}`;
  const rate = bitRate((8 * 1024e12 * link.ticksPerByte[1]) / link.ticksPerByte[0]);
  const cap = link.rateCapTicksPerByte;
  const capped = cap === null ? "" : `, capped at ${bitRate((8 * 1024e12 * cap[1]) / cap[0])}`;
  const rtt = time(link.rttTicks / abi.TICKS_PER_NS);
  const window = software === undefined ? `, window ${mebibytes(link.windowBytes)} MiB` : "";
  const path =
    software === undefined
      ? `pages over ${internal.pages}, compress ${compress.engine}, encrypt ${encrypt.cipher}, ` +
        `content ${content.mode}`
      : "QEMU's migration thread, no cards";
  const lines = [
    ["guest", `${memory}, ${amount(guest.vcpus, "vCPU")}, ${from}`],
    ["from", `${side("source")} to ${side("destination")}`],
    ["link", `${rate}${capped}, ${rtt} there and back, MTU ${link.mtuBytes}${window}`],
    ["path", `${tracker.kind}, ${path}`],
  ];
  return lines.map(([key, text]) => `  ${key!.padEnd(6)} ${text}`).join("\n");
}

/** Whether pages move after the resume. */
function movesLate({ migration, software }: Result["scenario"]): boolean {
  return migration.residual !== "before-resume" || (software?.features.postcopy ?? null) !== null;
}

function rounds({ migration, scenario }: Result, colors: Colors): string {
  const stopped = movesLate(scenario) ? "from the stop" : "stopped";
  const head = ["ROUND", "start ms", "time ms", "pages", "zero pages", "MiB on wire", "dirtied meanwhile"];
  const rows: Row[] = migration.rounds.map((round, i) => {
    const alone = round.guest === undefined;
    const last = alone && i === migration.rounds.length - 1 && migration.downtimeNs !== null;
    return [
      last ? `${round.index} (${stopped})` : `${round.index}${round.guest ? `, guest ${round.guest}` : ""}`,
      milliseconds(round.startNs),
      milliseconds(round.durationNs),
      grouped(round.normalPages),
      grouped(round.zeroPages),
      mebibytes(round.bytesOnWire),
      last || round.newDirtyPages === null ? "" : grouped(round.newDirtyPages),
    ];
  });
  const shown =
    rows.length <= 16 ? rows : [...rows.slice(0, 8), ["…", "", "", "", "", "", ""], ...rows.slice(-7)];
  const sum = (key: "normalPages" | "zeroPages" | "bytesOnWire" | "newDirtyPages"): number =>
    migration.rounds.reduce((total, round) => total + (round[key] ?? 0), 0);
  const bytes = mebibytes(sum("bytesOnWire"));
  const dirtied = grouped(sum("newDirtyPages"));
  const all = ["all", "", "", grouped(sum("normalPages")), grouped(sum("zeroPages")), bytes, dirtied];
  return columns(head, [...shown, all], colors);
}

/** What came after the resume, where pages moved then. */
function residualNote({ migration, guest }: Result): string {
  const touch = guest.firstTouchNs === null ? "" : `, first touch p99 ${time(guest.firstTouchNs.p99)}`;
  return `${grouped(migration.ram["postcopy-requests"] ?? 0)} pages asked for${touch}`;
}

/** What came after the resume, where pages were decrypted then. */
function decryptionNote({ guest }: Result, { decryptedAsked, sealedAtResume }: Decryption): string {
  const touch = guest.firstTouchNs === null ? "" : `, first touch p99 ${time(guest.firstTouchNs.p99)}`;
  return `${grouped(sealedAtResume)} pages sealed, ${grouped(decryptedAsked)} asked for${touch}`;
}

/** What was done before the request, where pages were encrypted then. */
function aheadNote({ storedPages, sentPages, stalePages, pcieBytes }: Ahead): string {
  const pages = `${grouped(storedPages)} pages encrypted, ${grouped(sentPages)} sent as they were`;
  return `${pages}, ${grouped(stalePages)} stale, ${mebibytes(pcieBytes)} MiB read`;
}

function phases(result: Result, colors: Colors): string {
  const { migration, guest, hostCpu, scenario } = result;
  const { setupNs, precopyNs, stopNs, deviceStateNs, residualNs } = migration.phases;
  const share = (ns: number | null): string =>
    ns === null ? "" : percent(ns / Math.max(1e-9, migration.totalTimeNs));
  const row = (name: string, ns: number | null, note: string): Row => [
    name,
    ns === null ? "-" : milliseconds(ns),
    share(ns),
    note,
  ];
  const limited = result.stats["source.guest.limitNs"];
  const sleeps = limited !== undefined && "value" in limited && limited.value > 0;
  const causes = sleeps ? "write faults and sleeps of dirty-limit" : "write faults";
  const whom = result.guests === null ? "guest" : "guests";
  const slowed = guest.slowdown === null ? "" : `${causes} slowed the ${whom} by ${percent(guest.slowdown)}`;
  const stalls = slowed === "" ? "" : `${grouped(guest.writeFaults)} ${slowed}`;
  const device = deviceStateNs === null ? "" : `device state there after ${time(deviceStateNs)}`;
  const late = movesLate(scenario);
  const { ahead, decryption } = migration;
  const pages = residualNs === null || late ? "" : `last page placed after ${time(residualNs)}`;
  const stopNotes = [pages, device].filter((text) => text !== "").join(", ");
  const several = result.guests !== null;
  const rows = [
    ...(ahead === undefined ? [] : [row("before", null, aheadNote(ahead))]),
    row("setup", setupNs, "handshake, start of the tracker"),
    several
      ? row("guests", migration.totalTimeNs - (setupNs ?? 0), stalls)
      : row("pre-copy", precopyNs, stalls),
    row("stopped", stopNs, several ? "the longest of the guests' stops" : stopNotes),
    ...(late ? [row("resumed", residualNs, residualNote(result))] : []),
    ...(decryption === undefined
      ? []
      : [row("resumed", decryption.fullyPlainNs, decryptionNote(result, decryption))]),
  ];
  const { sourceCoreSeconds, destinationCoreSeconds } = hostCpu;
  const [from, to] = [time(1e9 * sourceCoreSeconds), time(1e9 * destinationCoreSeconds)];
  const cpu = `host CPU: ${from} at the source, ${to} at the destination`;
  return `${columns(["TIME", "ms", "share", ""], rows, colors, [0, 3])}\n  ${cpu}`;
}

/** Shares of a pool's or unit's time since the start of the simulation. */
function unitRows(result: Result, side: string): Row[] {
  const pools = new Map<string, Result["units"][string][]>();
  for (const [name, unit] of Object.entries(result.units)) {
    if (!name.startsWith(`${side}.`) || name.endsWith(".guest")) continue;
    const pool = name.slice(side.length + 1).replace(/\.\d+$/, ".*");
    pools.set(pool, [...(pools.get(pool) ?? []), unit]);
  }
  const elapsed = Number(result.elapsedTicks);
  return [...pools].flatMap(([name, members]) => {
    const share = (of: (unit: Result["units"][string]) => number): number =>
      members.reduce((sum, unit) => sum + of(unit), 0) / Math.max(1, elapsed * members.length);
    const busy = share((unit) => Number(unit.busyTicks));
    if (busy === 0) return [];
    const causes = new Set(members.flatMap((unit) => Object.keys(unit.waitingTicks)));
    const waits = [...causes]
      .map((cause): [number, string] => [share((unit) => Number(unit.waitingTicks[cause] ?? 0)), cause])
      .sort(([a], [b]) => b - a);
    const waiting = waits.reduce((sum, [part]) => sum + part, 0);
    const most = waits.length > 0 && waits[0]![0] >= 0.0005 ? `for ${waits[0]![1]}` : "";
    const label = members.length > 1 ? `${name.slice(0, -2)} × ${members.length}` : name.replace(/\.\*$/, "");
    const starved = percent(share((unit) => Number(unit.starvedTicks)));
    const blocked = percent(share((unit) => Number(unit.blockedTicks)));
    return [[`${side}.${label}`, percent(busy), starved, blocked, percent(waiting), most]];
  });
}

function units(result: Result, colors: Colors): string {
  const head = ["UNIT", "busy", "starved", "blocked", "waiting", "mostly"];
  const rows = [...unitRows(result, "source"), ...unitRows(result, "destination")];
  return columns(head, rows, colors, [0, 5]);
}

function limits(result: Result, colors: Colors): string {
  const { bottleneck, bounds, link, migration } = result;
  const { unit, cause, share } = bottleneck;
  const what = cause === "busy" ? "busy" : `waiting for ${cause}`;
  const limit =
    unit === null
      ? "nothing was busy"
      : `${colors.bold(unit)} is ${what} for ${percent(share)} of the migration`;
  const parts = [
    ["link", bounds.linkNs],
    ["pcie", bounds.pcieNs],
    ["compress", bounds.compressNs],
    ["encrypt", bounds.encryptNs],
    ["thread", bounds.threadNs ?? null],
    ["channels", bounds.channelsNs ?? null],
  ] as const;
  const of = (ns: number): string => percent(ns / Math.max(1e-9, migration.totalTimeNs));
  const texts = parts.flatMap(([name, ns]) => (ns === null ? [] : [`${name} ${time(ns)} (${of(ns)})`]));
  return [
    `  limit   ${limit}`,
    `  link    ${bitRate(link.goodputBitsPerSecond)} of payload on average, ` +
      `${percent(link.utilization)} of the wire's time`,
    `  bounds  ${texts.slice(0, 2).join(", ")}`,
    ...(texts.length > 2 ? [`          ${texts.slice(2).join(", ")}`] : []),
    ...clairvoyant(result),
  ].join("\n");
}

/**
 * Records of pages, in full frames as clairvoyantBytes has them, beside those of a migration that knew the
 * future; device state goes on the other link. (Control records of the pages' link are counted too.)
 */
function clairvoyant({ bounds, link, scenario }: Result): string[] {
  const { clairvoyantBytes, clairvoyantNs } = bounds;
  if (clairvoyantBytes === null || clairvoyantNs === null || link.dataLinks === null) return [];
  const least = `${mebibytes(clairvoyantBytes)} MiB, ${time(clairvoyantNs)} of the link`;
  const mss = segmentBytes(scenario.link);
  const { payloadBytes } = link.dataLinks.pages;
  const sent = payloadBytes + Math.ceil(payloadBytes / mss) * (frameBytes(scenario.link, mss) - mss);
  return [
    `  least   ${least} with each page once; this run's pages took ${percent(sent / clairvoyantBytes)} of it`,
  ];
}

/** Where memory was compared. */
function subjectOf({ migration, guests }: Result): string {
  const left = guests?.filter((one) => one.migration.status !== "completed").length ?? 0;
  if (guests !== null && left > 0 && left < guests.length)
    return `destination of ${guests.length - left} guests, source of ${left} that it keeps`;
  return migration.status === "completed" ? "destination" : "source (it keeps the guest)";
}

function checks(result: Result, colors: Colors): string {
  const { check, fingerprint } = result;
  const subject = subjectOf(result);
  const equal = check.pagesDifferent === 0;
  const compared = grouped(check.pagesCompared);
  const pages = equal
    ? `${compared} pages compared, none differs`
    : colors.red(
        `${grouped(check.pagesDifferent)} of ${compared} pages differ, first ${check.firstDifferentPage}`,
      );
  const device =
    check.deviceStateEqual === null
      ? ""
      : check.deviceStateEqual
        ? "; device state equal"
        : colors.red("; device state differs");
  const broken = check.invariants.filter(({ held }) => !held);
  const held = `${check.invariants.length} checked, all held`;
  const lines = [
    `  memory      ${subject}: ${check.pagesCompared === 0 ? "not compared" : pages}${device}`,
    `  contents    ${check.contentCapturedPercent} % recorded` +
      (check.contentCapturedPercent < 100 ? ", the rest are stand-ins: times are estimates" : ""),
    `  invariants  ${broken.length === 0 ? colors.green(held) : colors.red(`${broken.length} broken`)}`,
    ...broken.map((one) => {
      const at = one.atTicks === undefined ? "" : ` at ${time(Number(one.atTicks) / abi.TICKS_PER_NS)}`;
      return colors.red(`    ${one.name}${at}: ${one.left} against ${one.right}`);
    }),
    `  fingerprint ${fingerprint}`,
  ];
  return lines.join("\n");
}

/**
 * The table of a result.
 * @param name of the scenario
 * @param color whether to colour; what the terminal and NO_COLOR say unless given
 */
export function resultTable(result: Result, name: string, color = picocolors.isColorSupported): string {
  const colors = picocolors.createColors(color);
  const parts = [
    `${headline(result, name, colors)}\n${setting(result)}`,
    rounds(result, colors),
    ...guestsTable(result, colors),
    phases(result, colors),
    units(result, colors),
    limits(result, colors),
    checks(result, colors),
  ];
  return `${parts.join("\n\n")}\n`;
}
