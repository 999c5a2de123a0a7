// SPDX-License-Identifier: Apache-2.0
/**
 * What limits a migration in software: lower bounds on its time, where its thread, channels and wire spend
 * theirs, and whether its rounds fit into the connection.
 */
import * as abi from "../../assembly/abi.ts";
import type { SoftwareMigration } from "../software.ts";
import type { Unit } from "./accounts.ts";
import type { Bounds } from "./bounds.ts";
import { ROUNDS_FIT } from "./invariants.ts";
import type { Invariant } from "./schema.ts";
import type { SoftwareRun } from "./software.ts";

const MS = 1_000_000 * abi.TICKS_PER_NS;
const WINDOWS_PER_SECOND = 10;
const WINDOW_MS = 100;
/** Of a page in the stream, and the most that stands in the thread's buffer. */
const PAGE = abi.PAGE_BYTES + 8;
const BUFFER = 32 * PAGE + 32_768 + PAGE;
/** End of an iteration, and the device state that goes with it. */
const SECTION = 18;
const DEVICE_PIECE = 1_048_576;
/** A packet of 128 pages that a channel writes, none of them above 4101 B (DEFLATE's stored blocks). */
const PACKET = 1344 + 128 * (abi.PAGE_BYTES + 5);

/** By how many bytes a window carries more than it may: what is under way when that is found. */
function windowSlack({ multifd, ahead }: SoftwareMigration): number {
  const thread = 2 * BUFFER + SECTION + (ahead === null ? 0 : DEVICE_PIECE);
  return thread + (multifd === null ? 0 : (2 * multifd.channels + 2) * PACKET);
}

/**
 * Of the limit of a window: B bytes before the last round take ceil(B / window) windows, all but the last of
 * them 100 ms by a clock of whole milliseconds; then comes what the last round carries. In ticks.
 */
function windowsLeast({ m, told }: SoftwareRun): number {
  if (told.syncs > told.rounds.length) return 0;
  const bytes = told.rounds.map((round) => round.bytes);
  const last = bytes.pop() ?? 0;
  const most = Math.floor(m.maxBandwidthBytes / WINDOWS_PER_SECOND) + windowSlack(m);
  const before = bytes.reduce((sum, n) => sum + n, 0);
  const windows = Math.max(0, Math.ceil(before / most) - 1);
  const [num, den] = m.ticksPerByte ?? [0, 1];
  return Number(told.setupTicks) + Math.max(0, windows * WINDOW_MS - 1) * MS + (last * num) / den;
}

/**
 * The thread works one thing after another, the channels at best all the time, and the bytes leave one after
 * another, no more of them in a window than it may. Of a migration that did not complete nothing is said:
 * what has begun may not be done.
 */
export function softwareBounds(run: SoftwareRun): Bounds {
  const { m, told, scenario } = run;
  const none = { pcie: null, compress: null, encrypt: null, clairvoyant: null };
  const channels = (busy: number) => (m.multifd === null ? {} : { channels: busy / m.multifd.channels });
  if (!told.complete) return { link: 0, thread: 0, ...none, ...channels(0) };
  const [num, den] = m.ticksPerByte ?? [0, 1];
  const framing = (told.transferredBytes * num) / den;
  const link = Math.max(framing, windowsLeast(run)) + Math.floor(scenario.link.rttTicks / 2);
  return { link, thread: Number(told.workedTicks), ...none, ...channels(Number(told.channelTicks)) };
}

/** The thread, its channels as one, and the wire, up to `elapsed`. */
export function softwareUnits({ m, told }: SoftwareRun, elapsed: bigint): Unit[] {
  const unit = (name: string, states: readonly (readonly [number, bigint])[]): Unit => {
    const ticks: bigint[] = Array.from({ length: abi.STATES }, () => 0n);
    for (const [state, n] of states) ticks[state]! += n;
    const rest = elapsed - ticks.reduce((sum, n) => sum + n, 0n);
    ticks[abi.STARVED]! += rest;
    return { name, pool: name, ticks };
  };
  const busy = (name: string, ticks: bigint): Unit =>
    unit(name, [[abi.BUSY, ticks < elapsed ? ticks : elapsed]]);
  const times = told.times!;
  const [num, den] = m.ticksPerByte ?? [0, 1];
  const thread = unit("source.qemu.thread", [
    [abi.BUSY, times.busy],
    [abi.W_RATE_CAP, times.capped],
    [abi.BLOCKED, times.socket + times.channels],
    [abi.W_ACK, times.ack],
    [abi.STARVED, times.nothing],
  ]);
  const channels =
    m.multifd === null ? [] : [busy("source.qemu.channels", told.channelTicks / BigInt(m.multifd.channels))];
  const wire = (BigInt(times.carriedBytes) * BigInt(num)) / BigInt(den);
  return [thread, ...channels, busy("source.link.tx", wire)];
}

/** A round has no more bytes than the connection carries in its time, but for one under way at its end. */
export function roundsFit({ m, told }: SoftwareRun): Invariant {
  const [num, den] = (m.ticksPerByte ?? [0, 1]).map(BigInt) as [bigint, bigint];
  const odd = told.rounds.find(
    ({ startTicks, endTicks, bytes }) =>
      endTicks !== 0n && BigInt(Math.max(0, bytes - 1)) * num > (endTicks - startTicks) * den,
  );
  if (odd === undefined) return { name: ROUNDS_FIT, held: true };
  const atTicks = String(odd.endTicks);
  const most = ((odd.endTicks - odd.startTicks) * den) / num;
  return { name: ROUNDS_FIT, held: false, atTicks, left: String(odd.bytes), right: String(most) };
}
