// SPDX-License-Identifier: Apache-2.0
/** A bulk transfer over the external channel alone: the network units of both cards, a source and a sink. */
import * as abi from "../../assembly/abi.ts";
import type { Core } from "../core.ts";
import {
  DELACK_TICKS,
  FIRMWARE_DELAY_TICKS,
  framesOfPath,
  lossThreshold,
  segmentsOut,
  setPause,
} from "../params.ts";
import type { Ratio } from "../scenario/types.ts";
import type { ResolvedPause } from "../scenario/types-link.ts";
import { fullSegment, openedBytes, type ProbeFraming, probeFraming, sealedBytes } from "./framing.ts";

/** What is transferred over what. Ticks are 2^-10 ps. */
export interface LinkProbe extends ProbeFraming {
  /** Ticks per byte of the sender's port. */
  readonly portTicksPerByte: Ratio;
  /** Ticks per byte of the bottleneck behind it; null where the port itself is the bottleneck. */
  readonly ticksPerByte: Ratio | null;
  /** Propagation there and back. */
  readonly rttTicks: number;
  readonly mtuBytes: number;
  /** Share of the frames to the sink that are lost. */
  readonly loss: number;
  /** The same for the frames back. */
  readonly lossBack: number;
  /** Ticks at most that a frame is late. */
  readonly jitterTicks: number;
  /** Wire bytes that the queue at the bottleneck holds. */
  readonly bufferBytes: number;
  /** How the switch there stops the port; null when it drops instead. */
  readonly pause: ResolvedPause | null;
  /** firmware: UDP, whose sender knows the window of its peer alone. */
  readonly congestion: "reno" | "cubic" | "firmware";
  readonly streams: number;
  /** Receive window of each connection; null: right-sized from 65535 bytes up to 1 GiB. */
  readonly windowBytes: number | null;
  /** Cap on the bytes in flight of a connection; null for none. */
  readonly inFlightBytes: number | null;
  /** What is sent; null: as much as the time allows. */
  readonly bytes: number | null;
  /** How long is measured at most, after `omitTicks`. */
  readonly durationTicks: bigint;
  /** What goes before the measured time. */
  readonly omitTicks: bigint;
  readonly seed: number;
}

/** What came of it. */
export interface LinkResult {
  /** Payload acknowledged in the measured time over that time; of a transfer, over its own time. */
  readonly goodputBitsPerSecond: number;
  /** Bytes on the wire of the sender, from the first byte on. */
  readonly wireBytes: number;
  /** Payload bytes acknowledged; with TLS the data of whole records. */
  readonly payloadBytes: number;
  /** Segments sent again. */
  readonly retransmits: number;
  /** Time since the connections were open in ns, bytes acknowledged by then. */
  readonly acknowledged: readonly (readonly [number, number])[];
  /** True when all bytes have been acknowledged. */
  readonly complete: boolean;
  /** From the opening of the connections to the last acknowledgement, or as long as was simulated. */
  readonly elapsedNs: number;
  /** SYN and its answer, before all that. */
  readonly handshakeNs: number;
  /** Mean of the smoothed RTT over its samples in the measured time. */
  readonly srttMeanNs: number;
  /** Times that a congestion window was cut, and of these by a timeout. */
  readonly lossEvents: number;
  readonly timeouts: number;
  /** Frames to the sink: sent, lost on the way, dropped at the bottleneck. */
  readonly frames: number;
  readonly lostFrames: number;
  readonly droppedFrames: number;
  /** PAUSE frames to the sender's port, and how long it stood still, up to when it moved last. */
  readonly pauseFrames: number;
  readonly pausedNs: number;
  /** Share of the data segments sent that were lost or dropped. */
  readonly lossShare: number;
  /** Frames back. */
  readonly acks: number;
  readonly streams: readonly number[];
}

/** How far a transfer is. */
export interface LinkStep {
  /** Simulated, since the connections were open. */
  readonly atNs: number;
  /** Bytes of the stream acknowledged by then. */
  readonly acknowledgedBytes: number;
}

/** The reading of the core, LR_ constants. */
type Reading = readonly number[];

const TICKS_PER_NS = BigInt(abi.TICKS_PER_NS);
const WINDOW_TUNED = 2 ** 30;
const WINDOW_FIRMWARE = 2 ** 24;
const ENDLESS_BYTES = 2 ** 52;
const CONGESTION = {
  reno: abi.CONGESTION_RENO,
  cubic: abi.CONGESTION_CUBIC,
  firmware: abi.CONGESTION_FIRMWARE,
} as const;
export const PREAMBLE_GAP = 20;
const FRAME_MIN = 64;
/** Points of `acknowledged` in one RTT, and of all at most. */
const POINTS_PER_RTT = 16n;
const POINTS_MAX = 4096n;
/** Bytes at the rate of the bottleneck after which it is told how far a transfer is. */
const STEP_BYTES = 2n ** 28n;

function setLinkParams(core: Core, probe: LinkProbe): void {
  const most = probe.congestion === "firmware" ? WINDOW_FIRMWARE : WINDOW_TUNED;
  const window = probe.windowBytes ?? most;
  const bottleneck = probe.ticksPerByte ?? probe.portTicksPerByte;
  const path = {
    ticksPerByte: bottleneck,
    propagationTicks: Math.floor(probe.rttTicks / 2),
    jitterTicks: probe.jitterTicks,
    mssBytes: fullSegment(probe.mtuBytes, probe),
    bufferBytes: probe.ticksPerByte === null ? 0 : probe.bufferBytes,
    windowBytes: window,
    streams: probe.streams,
  };
  const segments = segmentsOut(path);
  const params: [number, number | bigint][] = [
    [abi.G_SEED, probe.seed],
    [abi.G_NET_TICKS_NUM, probe.portTicksPerByte[0]],
    [abi.G_NET_TICKS_DEN, probe.portTicksPerByte[1]],
    [abi.G_NET_PROPAGATION, path.propagationTicks],
    [abi.G_NET_MTU, probe.mtuBytes],
    [abi.G_NET_WINDOW, window],
    [abi.G_NET_CAP_NUM, 0],
    [abi.G_NET_CAP_DEN, 1],
    [abi.G_NET_WEIGHT_A, 0],
    [abi.G_NET_WEIGHT_B, 0],
    [abi.G_NET_DELACK, probe.congestion === "firmware" ? FIRMWARE_DELAY_TICKS : DELACK_TICKS],
    [abi.G_SERIES_WINDOW, 1_024_000_000],
    [abi.G_QUANTUM, path.propagationTicks],
    [abi.G_NET_FRAMES, framesOfPath(path, segments)],
    [abi.G_NET_OUTSIDE, PREAMBLE_GAP],
    [abi.G_NET_FRAMING, probe.framingBytes],
    [abi.G_NET_FRAME_MIN, FRAME_MIN],
    [abi.G_NET_HEADERS, probe.headerBytes],
    [abi.G_NET_PAD_TO, probe.padToBytes],
    [abi.G_NET_CONGESTION, CONGESTION[probe.congestion]],
    [abi.G_NET_LOSS, lossThreshold(probe.loss)],
    [abi.G_NET_LOSS_BACK, lossThreshold(probe.lossBack)],
    [abi.G_NET_JITTER, probe.jitterTicks],
    [abi.G_NET_QUEUE_NUM, probe.ticksPerByte?.[0] ?? 0],
    [abi.G_NET_QUEUE_DEN, probe.ticksPerByte?.[1] ?? 1],
    [abi.G_NET_BUFFER, path.bufferBytes],
    [abi.G_NET_STREAMS, probe.streams],
    [abi.G_NET_SEGMENTS, segments],
    [abi.G_NET_TUNED, probe.windowBytes === null && probe.congestion !== "firmware" ? 1 : 0],
    [abi.G_NET_FLIGHT, probe.inFlightBytes ?? 0],
    [abi.G_LINK_BYTES, probe.bytes === null ? ENDLESS_BYTES : sealedBytes(probe.bytes, probe.tlsBytes)],
  ];
  const pause = new Map<number, number | bigint>();
  setPause(pause, probe.pause);
  core.clearParams();
  for (const [index, value] of [...params, ...pause]) core.setGlobalParam(index, value);
}

function read(core: Core): Reading {
  const at = Number(core.fn("linkReading")()) >>> 0;
  return Array.from({ length: abi.LR_STREAMS + abi.STREAMS_MAX }, (_, i) => Number(core.u64(at + i * 8)));
}

const ns = (ticks: bigint | number): number => Number(ticks) / abi.TICKS_PER_NS;

/** The core has stopped by an invariant. */
function stopIfBroken(core: Core, stop: number): void {
  if (stop !== abi.STOP_INVARIANT) return;
  const [number, left, right] = ["brokenInvariant", "brokenLeft", "brokenRight"].map((name) =>
    core.global(name),
  );
  throw new Error(`invariant ${number} of the core is broken: ${left} against ${right}`);
}

function result(core: Core, probe: LinkProbe, before: Reading, acknowledged: [number, number][]): LinkResult {
  const after = read(core);
  const own = (index: number): number => after[index]!;
  const gained = (index: number): number => own(index) - before[index]!;
  const complete = own(abi.LR_ENDED) !== 0;
  const [lastNs] = acknowledged.at(-1)!;
  const measuredNs = lastNs - ns(probe.omitTicks);
  const data = gained(abi.LR_DATA);
  const opened = (reading: Reading): number =>
    openedBytes(reading[abi.LR_ACKED]!, probe.tlsBytes, probe.bytes);
  const gainedData = opened(after) - opened(before);
  return {
    goodputBitsPerSecond: measuredNs > 0 ? (gainedData * 8e9) / measuredNs : 0,
    wireBytes: core.counter(0, abi.C_NET_WIRE_BYTES),
    payloadBytes: opened(after),
    retransmits: own(abi.LR_AGAIN),
    acknowledged,
    complete,
    elapsedNs: lastNs,
    handshakeNs: ns(BigInt(core.fn("handshakeTicks")())),
    srttMeanNs: gained(abi.LR_SRTT_TIME) > 0 ? gained(abi.LR_SRTT_SUM) / gained(abi.LR_SRTT_TIME) : 0,
    lossEvents: gained(abi.LR_EPISODES),
    timeouts: gained(abi.LR_TIMEOUTS),
    frames: own(abi.LR_SENT),
    lostFrames: own(abi.LR_LOST),
    droppedFrames: own(abi.LR_DROPPED),
    pauseFrames: own(abi.LR_PAUSES),
    pausedNs: ns(own(abi.LR_PAUSED)),
    lossShare: data > 0 ? (gained(abi.LR_LOST) + gained(abi.LR_DROPPED)) / data : 0,
    acks: own(abi.LR_SENT + 1),
    streams: after.slice(abi.LR_STREAMS, abi.LR_STREAMS + probe.streams),
  };
}

/** Runs from a time to another one, or to the end of the transfer: what made it stop. */
function* runSteps(core: Core, probe: LinkProbe, from: bigint, until: bigint): Generator<LinkStep, number> {
  const [num, den] = probe.ticksPerByte ?? probe.portTicksPerByte;
  const most = (STEP_BYTES * BigInt(num)) / BigInt(den) + 1n;
  const run = core.fn("runLink");
  for (let at = from; ; ) {
    at = at + most < until ? at + most : until;
    const stop = Number(run(at));
    stopIfBroken(core, stop);
    if (stop === abi.STOP_DONE || at === until) return stop;
    yield { atNs: ns(at), acknowledgedBytes: read(core)[abi.LR_ACKED]! };
  }
}

/** Transfers bytes as linkSteps() does, at one go. */
export function probeLink(core: Core, probe: LinkProbe): LinkResult {
  const steps = linkSteps(core, probe);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Transfers bytes on the core's link board; yields how far it is.
 * @throws Error when the link does not fit in 4 GiB or an invariant breaks
 */
export function* linkSteps(core: Core, probe: LinkProbe): Generator<LinkStep, LinkResult> {
  setLinkParams(core, probe);
  if (Number(core.fn("buildLink")()) !== 0) throw new Error("the link does not fit in 4 GiB of memory");
  const endAt = probe.omitTicks + probe.durationTicks;
  const least = endAt / POINTS_MAX + 1n;
  const wanted = BigInt(probe.rttTicks) / POINTS_PER_RTT + 1n;
  const step = wanted > least ? wanted : least;
  const acknowledged: [number, number][] = [[0, 0]];
  const opened = (reading: Reading): number =>
    openedBytes(reading[abi.LR_ACKED]!, probe.tlsBytes, probe.bytes);
  let before: Reading | null = probe.omitTicks === 0n ? read(core) : null;
  let at = 0n;
  while (at < endAt) {
    let from = at;
    at = at + step < endAt ? at + step : endAt;
    if (before === null && at >= probe.omitTicks) {
      yield* runSteps(core, probe, from, probe.omitTicks);
      from = probe.omitTicks;
      before = read(core);
    }
    const stop = yield* runSteps(core, probe, from, at);
    const reading = read(core);
    yield { atNs: ns(at), acknowledgedBytes: reading[abi.LR_ACKED]! };
    if (stop === abi.STOP_DONE) {
      acknowledged.push([ns(reading[abi.LR_ENDED]!), opened(reading)]);
      break;
    }
    acknowledged.push([Number((at * 1000n) / TICKS_PER_NS) / 1000, opened(reading)]);
  }
  return result(core, probe, before ?? read(core), acknowledged);
}

/** A probe with what most have: a port far faster than the path, IPv4, no jitter, an endless source. */
export function linkProbe(
  own: Partial<LinkProbe> & Pick<LinkProbe, "ticksPerByte" | "rttTicks" | "mtuBytes" | "bufferBytes">,
): LinkProbe {
  return {
    portTicksPerByte: [20480, 1],
    ...probeFraming(undefined, own.congestion === "firmware"),
    loss: 0,
    lossBack: 0,
    jitterTicks: 0,
    pause: null,
    congestion: "cubic",
    streams: 1,
    windowBytes: null,
    inFlightBytes: null,
    bytes: null,
    durationTicks: 10_000_000_000n * TICKS_PER_NS,
    omitTicks: 0n,
    seed: 1,
    ...own,
  };
}
