// SPDX-License-Identifier: Apache-2.0
/** The external link of a resolved scenario. */
import type { Ratio } from "./types.ts";

/** PAUSE of a switch: wire bytes that stop the port and let it go on, the way to it, how long one lasts. */
export interface ResolvedPause {
  highBytes: number;
  lowBytes: number;
  hopTicks: number;
  /** Of 512 bit times. */
  quanta: number;
}

export interface ResolvedLink {
  /** Name of the preset it started from. */
  preset: string;
  /** Ticks per byte on the wire: 81920 for 100 Gbit/s. */
  ticksPerByte: Ratio;
  /** Propagation there and back. */
  rttTicks: number;
  /** Largest IP packet. */
  mtuBytes: number;
  preambleBytes: number;
  gapBytes: number;
  fcsBytes: number;
  headerBytes: number;
  minFrameBytes: number;
  transport: "tcp" | "udp";
  /** none: a path without loss that nobody backs off from. */
  congestion: "none" | "reno" | "cubic";
  /** Connections of each data link. */
  streams: number;
  /** Share of the frames that are lost, either way. */
  loss: number;
  /** How late a frame may be. */
  jitterTicks: number;
  /** Ticks per byte of a bottleneck behind the port; null without one. */
  bottleneckTicksPerByte: Ratio | null;
  /** Wire bytes that wait at the bottleneck. */
  bufferBytes: number;
  /** How the switch at the bottleneck stops the port before its queue is full; null when it does not. */
  pause: ResolvedPause | null;
  /** Cap on what a connection has in flight; null without one. */
  inFlightBytes: number | null;
  /** auto: the receive window begins with 65535 bytes and grows up to windowBytes. */
  windowGrowth: "fixed" | "auto";
  /** Timeouts in a row after which a connection is given up. */
  retries: number;
  /** Bytes of the MTU around a payload: IP, TCP with timestamps, and what encloses them. */
  packetHeaderBytes: number;
  /** What a packet is padded to: 4 with ESP, else 1. */
  padToBytes: number;
  /** Bytes that TLS adds to a record of the data link. */
  tlsBytes: number;
  /** Receive window of each connection: `link.window`, else the destination card's. */
  windowBytes: number;
  /** Ticks per byte of the cap on what is sent; null without a cap. */
  rateCapTicksPerByte: Ratio | null;
  /** strict: device state first; weighted: by the weights below. */
  arbitration: "strict" | "weighted";
  weights: { state: number; pages: number };
}
