// SPDX-License-Identifier: Apache-2.0
/** PAUSE between a port and the switch behind it: keys, marks that lose nothing, and what does not fit. */
import * as z from "zod";
import { frameBytes, segmentBytes } from "../params.ts";
import { field } from "./fields.ts";
import type { Problems } from "./problems.ts";
import type { Ratio } from "./types.ts";
import type { ResolvedLink, ResolvedPause } from "./types-link.ts";
import { parseQuantity, show, ticksOf } from "./units.ts";

/** Header to FCS of a MAC control frame. */
const PAUSE_BYTES = 64;
const BYTES_MAX = 2 ** 30;

/** 100 m of fibre at 5 ns a metre (assumed). */
export const DEFAULT_HOP = "500 ns";
/** The most that 16 bits hold. */
export const QUANTA_MAX = 65535;

const bytes = (text: string): z.ZodType<string | number> =>
  field({ measure: "bytes", min: 0, max: BYTES_MAX, text });

const keys = z.strictObject({
  high: bytes("wire bytes that wait when the switch stops the port; default: buffer - headroom").optional(),
  low: bytes("wire bytes that wait when the port goes on; default: half of high").optional(),
  hop: field({ measure: "time", min: 0, max: 1e-5, text: "from port to switch: 5 ns a metre" }).default(
    DEFAULT_HOP,
  ),
  quanta: field({
    measure: "count",
    min: 16,
    max: QUANTA_MAX,
    text: "of 512 bit times that a PAUSE lasts; it is repeated after half of them",
  }).default(QUANTA_MAX),
});

/** Whether the switch behind a port stops it before its queue is full. */
export const pauseSchema = z.union([z.literal("off"), z.literal("on"), keys], {
  error: ({ input }) => `${show(input)} is not known here; write off, on or { hop: 500 ns, high: 200 KiB }`,
});

/**
 * Wire bytes that may come when the queue has passed its mark: what leaves the port in two hops and the time
 * of a PAUSE, and the largest frame, begun last.
 */
export function headroomBytes(perByte: Ratio, hopTicks: number, frame: number, outside: number): number {
  const [num, den] = perByte;
  const pauseTicks = Math.ceil(((PAUSE_BYTES + outside) * num) / den);
  return Math.ceil(((2 * hopTicks + pauseTicks) * den) / num) + frame;
}

/** What the marks are of: rate of the port, buffer of the switch, frames. */
export interface PausedPort {
  readonly ticksPerByte: Ratio;
  readonly bufferBytes: number;
  readonly frameBytes: number;
  readonly outsideBytes: number;
}

/** Marks where none are given: the highest that loses nothing, negative if there is none, and half of it. */
export function defaultMarks(port: PausedPort, hopTicks: number): { highBytes: number; lowBytes: number } {
  const room = headroomBytes(port.ticksPerByte, hopTicks, port.frameBytes, port.outsideBytes);
  const highBytes = port.bufferBytes - room;
  return { highBytes, lowBytes: Math.max(0, Math.floor(highBytes / 2)) };
}

function portOf(link: Omit<ResolvedLink, "pause">): PausedPort {
  return {
    ticksPerByte: link.ticksPerByte,
    bufferBytes: link.bufferBytes,
    frameBytes: frameBytes(link as ResolvedLink, segmentBytes(link as ResolvedLink)),
    outsideBytes: link.preambleBytes + link.gapBytes,
  };
}

/** The resolved pause of a link. */
export function fillPause(
  written: z.output<typeof pauseSchema>,
  link: Omit<ResolvedLink, "pause">,
): ResolvedPause | null {
  if (written === "off") return null;
  const given = written === "on" ? keys.parse({}) : written;
  const bytesOf = (text: unknown): number => Number(parseQuantity(text, "bytes").num);
  const hopTicks = Number(ticksOf(parseQuantity(given.hop, "time")));
  const marks = defaultMarks(portOf(link), hopTicks);
  const highBytes = given.high === undefined ? marks.highBytes : bytesOf(given.high);
  const half = Math.max(0, Math.floor(highBytes / 2));
  const lowBytes = given.low === undefined ? half : bytesOf(given.low);
  return { highBytes, lowBytes, hopTicks, quanta: Number(given.quanta) };
}

/** Marks that lie within the queue, a frame apart; a hop that is a part of the way. */
export function checkPause(link: ResolvedLink, problems: Problems): void {
  if (link.pause === null) return;
  const { highBytes, lowBytes, hopTicks } = link.pause;
  const port = portOf(link);
  const add = (key: string, what: string): void => problems.add(["link", "pause", key], what);
  const half = Math.floor(link.rttTicks / 2);
  if (hopTicks > half) add("hop", `is longer than half of link.rtt; write at most ${half / 1_024_000} ns`);
  const room = headroomBytes(port.ticksPerByte, hopTicks, port.frameBytes, port.outsideBytes);
  if (highBytes === port.bufferBytes - room && highBytes < 2 * port.frameBytes) {
    const what = `is less than the headroom of link.pause and two frames`;
    problems.add(["link", "buffer"], `${what}; write at least ${room + 2 * port.frameBytes} B`);
    return;
  }
  if (highBytes > port.bufferBytes) add("high", `is above link.buffer; write at most ${port.bufferBytes} B`);
  if (highBytes < 2 * port.frameBytes)
    add("high", `is less than two frames; write at least ${2 * port.frameBytes} B`);
  else if (lowBytes > highBytes - port.frameBytes)
    add("low", `is less than a frame below high; write at most ${highBytes - port.frameBytes} B`);
}
