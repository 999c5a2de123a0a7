// SPDX-License-Identifier: Apache-2.0
/** What `dpusim probe link --json` says. */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import type { LinkProbe, LinkResult } from "../probe/link.ts";

/** Points of `acknowledged` beside the first one, at most. */
const POINTS = 32;

/**
 * What was asked: each value is that of the option of its name, without the unit, and gives it back; null
 * where the option is left out or says nothing.
 */
export interface LinkAsked {
  readonly rateBitsPerSecond: number;
  readonly portBitsPerSecond: number | null;
  readonly mtuBytes: number;
  readonly rttNs: number;
  readonly lossShare: number;
  readonly lossBackShare: number;
  readonly jitterNs: number;
  readonly transport: "tcp" | "udp";
  readonly congestion: "reno" | "cubic" | null;
  readonly streams: number;
  readonly windowBytes: number | null;
  readonly inFlightBytes: number | null;
  readonly bufferBytes: number | null;
  readonly pause: boolean;
  readonly hopNs: number | null;
  readonly vlan: number;
  readonly ip: "v4" | "v6";
  readonly vxlan: boolean;
  readonly macsec: "off" | "sci" | "short";
  readonly esp: boolean;
  readonly tls: "off" | "v1.2" | "v1.3";
  readonly bytes: number | null;
  readonly durationNs: number | null;
  readonly omitNs: number;
  readonly seed: number;
}

/** What is written about a transfer, LinkResult's numbers aside. */
export interface LinkReport extends Omit<LinkResult, "streams" | "acknowledged"> {
  /** Time since the connections were open, bytes acknowledged by then; 33 points at most. */
  readonly acknowledged: readonly (readonly [ns: number, bytes: number])[];
  readonly acknowledgedColumns: readonly ["ns", "bytes"];
  /** All points; null unless asked for. */
  readonly curve: { readonly ns: readonly number[]; readonly bytes: readonly number[] } | null;
  /** Of each connection, over the measured time. */
  readonly streamBitsPerSecond: readonly number[];
  readonly asked: LinkAsked;
  /** Of dpusim. */
  readonly version: string;
}

/** What the probe itself does not know. */
interface LinkNames {
  readonly asked: LinkAsked;
  readonly curve: boolean;
  readonly version: string;
}

/** The report of a transfer. */
export function linkReport(probe: LinkProbe, result: LinkResult, names: LinkNames): LinkReport {
  const { streams, acknowledged, goodputBitsPerSecond, wireBytes, payloadBytes, retransmits, ...rest } =
    result;
  const seconds = Math.max(rest.elapsedNs - Number(probe.omitTicks) / TICKS_PER_NS, 1) / 1e9;
  const every = Math.max(1, Math.ceil((acknowledged.length - 1) / POINTS));
  const few = acknowledged.filter((_, i) => i % every === 0 || i === acknowledged.length - 1);
  const all = { ns: acknowledged.map(([ns]) => ns), bytes: acknowledged.map(([, bytes]) => bytes) };
  return {
    goodputBitsPerSecond,
    wireBytes,
    payloadBytes,
    retransmits,
    acknowledged: few,
    acknowledgedColumns: ["ns", "bytes"],
    curve: names.curve ? all : null,
    ...rest,
    streamBitsPerSecond: streams.map((bytes) => (bytes * 8) / seconds),
    asked: names.asked,
    version: names.version,
  };
}

/** The report as JSON, lists of numbers on one line each. */
export function linkJson(report: LinkReport): string {
  const text = JSON.stringify(report, null, 1);
  const flat = (list: string): string => `[${list.slice(1, -1).trim().replace(/\s+/g, " ")}]`;
  return `${text.replace(/\[[\s\d.,e+-]*\]/g, flat)}\n`;
}
