// SPDX-License-Identifier: Apache-2.0
/** `dpusim probe link`: a bulk transfer over the external channel alone. */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import { Core, coreModule, type Variant } from "../core.ts";
import { type ProbeFraming, probeFraming } from "../probe/framing.ts";
import {
  type LinkProbe,
  type LinkResult,
  type LinkStep,
  linkProbe,
  linkSteps,
  PREAMBLE_GAP,
} from "../probe/link.ts";
import { grouped } from "../report/format.ts";
import { type LinkAsked, linkJson, linkReport } from "../report/link.ts";
import { ticksPerByte } from "../scenario/fill.ts";
import { DEFAULT_HOP, defaultMarks, QUANTA_MAX } from "../scenario/pause.ts";
import type { ResolvedPause } from "../scenario/types-link.ts";
import { compare, formatQuantity, parseDecimal, type Rational, show, ticksOf } from "../scenario/units.ts";
import { InputError } from "./errors.ts";
import { untilInterrupted } from "./interrupt.ts";
import { bytesOf, parsed, quantity, wholeOf } from "./options.ts";
import { reporter } from "./progress.ts";

/** Options of the command as texts. */
export interface LinkTexts {
  readonly rate: string;
  readonly mtu: string;
  readonly rtt: string;
  readonly loss: string;
  readonly lossBack: string;
  readonly jitter: string;
  readonly transport: "tcp" | "udp";
  readonly congestion?: "reno" | "cubic";
  readonly streams: string;
  readonly window?: string;
  readonly inFlight?: string;
  readonly buffer?: string;
  readonly port?: string;
  readonly pause?: boolean;
  readonly hop?: string;
  readonly bytes?: string;
  readonly duration?: string;
  readonly vlan: string;
  readonly ip: "v4" | "v6";
  readonly vxlan?: boolean;
  readonly macsec: "off" | "sci" | "short";
  readonly esp?: boolean;
  readonly tls: "off" | "v1.2" | "v1.3";
  readonly omit: string;
  readonly seed: string;
  readonly json?: boolean;
  readonly curve?: boolean;
  readonly core: string;
}

const MTU_MIN = 576;
const MTU_MAX = 9216;
const STREAMS_MAX = 32;
const VLAN_MAX = 2;
const BYTES_MAX = 2 ** 46;
const BUFFER_MAX = 2 ** 30;
const SEED_MAX = 2 ** 32 - 1;
/** Of the sender's port, and of the queue behind it. */
const PORT = "400 Gbit/s";
const BUFFER = "1 MiB";
/** A transfer that takes longer is given up. */
const HOURS_MAX = { num: 9000n, den: 1n };
const RTT_MAX = { num: 2n, den: 1n };
const HOP_MAX = { num: 1n, den: 100_000n };

function ticksOfOption(option: string, text: string, most: Rational): bigint {
  const value = quantity(option, text, "time");
  if (compare(value, most) > 0) {
    const limit = formatQuantity(most, "time");
    throw new InputError(`--${option}: ${show(text)} is too long; write at most ${limit}`);
  }
  return parsed(option, () => ticksOf(value));
}

const NO_SHARE: Rational = { num: 1n, den: 1n };

function lossOf(option: string, text: string): number {
  const { num, den } = /^[\d.]+$/.test(text) ? parsed(option, () => parseDecimal(text)) : NO_SHARE;
  if (num < den) return Number(num) / Number(den);
  throw new InputError(`--${option}: ${show(text)} is no share of frames; write 0 to 0.999, such as 0.001`);
}

/** The layers around a payload, as `link.framing` has them. */
function framingOf(texts: LinkTexts): ProbeFraming {
  const { ip, macsec, tls, transport, streams } = texts;
  const [vxlan, esp] = [texts.vxlan === true ? "on" : "off", texts.esp === true ? "tunnel" : "off"] as const;
  const keys = { vlan: wholeOf("vlan", texts.vlan, 0, VLAN_MAX), ip, vxlan, macsec, esp, tls };
  if (tls !== "off" && streams !== "1")
    throw new InputError("--tls: is counted on one connection; remove it, or --streams");
  if (tls !== "off" && transport === "udp")
    throw new InputError("--tls: takes a byte stream that loses nothing; remove it, or --transport udp");
  return probeFraming(keys, transport === "udp");
}

/** The marks of the switch in the middle: the highest that loses nothing, and half of it. */
function pauseOf(texts: LinkTexts, probe: LinkProbe): ResolvedPause | null {
  if (texts.pause !== true) {
    if (texts.hop !== undefined) throw new InputError("--hop: has no effect without --pause; add it");
    return null;
  }
  if (probe.ticksPerByte === null) {
    throw new InputError("--pause: the port is no faster than the path; write a --port above --rate");
  }
  const hopTicks = Number(ticksOfOption("hop", texts.hop ?? DEFAULT_HOP, HOP_MAX));
  if (2 * hopTicks > probe.rttTicks) throw new InputError("--hop: is longer than half of --rtt; write less");
  const frame = probe.mtuBytes + probe.framingBytes + PREAMBLE_GAP;
  const { portTicksPerByte, bufferBytes } = probe;
  const port = { ticksPerByte: portTicksPerByte, frameBytes: frame, outsideBytes: PREAMBLE_GAP };
  const marks = defaultMarks({ ...port, bufferBytes }, hopTicks);
  if (marks.highBytes < 2 * frame) {
    const least = bufferBytes - marks.highBytes + 2 * frame;
    throw new InputError(`--buffer: is less than the headroom of --pause; write at least ${least} B`);
  }
  return { ...marks, hopTicks, quanta: QUANTA_MAX };
}

/**
 * Options that would change nothing.
 * @param faster whether a port stands before a slower path, with a queue between them
 * @param above whether the port has the higher rate
 * @throws InputError
 */
function checkEffects(texts: LinkTexts, faster: boolean, above: boolean): void {
  if (texts.transport === "udp" && texts.congestion !== undefined)
    throw new InputError("--congestion: is of TCP; remove it, or --transport udp");
  if (faster) return;
  const why = above
    ? "with --transport udp, but with --pause too"
    : "where the port is no faster than the path";
  if (texts.buffer !== undefined) throw new InputError(`--buffer: has no effect ${why}; remove it`);
  if (above && texts.port !== undefined) throw new InputError(`--port: has no effect ${why}; remove it`);
}

/** The probe that the options describe. @throws InputError */
export function probeOf(texts: LinkTexts): LinkProbe {
  const rate = quantity("rate", texts.rate, "rate");
  const port = quantity("port", texts.port ?? PORT, "rate");
  const perByte = (option: string, value: Rational) => {
    if (value.num <= 0n) throw new InputError(`--${option}: 0 bit/s carries nothing; write e.g. 100Gbit/s`);
    return parsed(option, () => ticksPerByte(value));
  };
  // a port no faster than the path is the bottleneck: it holds the sender back, and no frame is dropped
  // UDP has nothing but its own rate that keeps it from overrunning a queue
  const udp = texts.transport === "udp";
  const above = compare(port, rate) > 0;
  const faster = (!udp || texts.pause === true) && above;
  checkEffects(texts, faster, above);
  if (texts.bytes !== undefined && texts.duration !== undefined) {
    throw new InputError("--duration: stands beside --bytes; keep one of the two");
  }
  const omit = ticksOfOption("omit", texts.omit, HOURS_MAX);
  const duration = ticksOfOption("duration", texts.duration ?? "1 s", HOURS_MAX);
  if (duration === 0n) throw new InputError("--duration: 0 leaves nothing to measure; write e.g. 10 ms");
  const probe = linkProbe({
    ...framingOf(texts),
    ticksPerByte: faster ? perByte("rate", rate) : null,
    portTicksPerByte: perByte("port", faster || !above ? port : rate),
    rttTicks: Number(ticksOfOption("rtt", texts.rtt, RTT_MAX)),
    mtuBytes: bytesOf("mtu", texts.mtu, MTU_MIN, MTU_MAX),
    loss: lossOf("loss", texts.loss),
    lossBack: lossOf("loss-back", texts.lossBack),
    jitterTicks: Number(ticksOfOption("jitter", texts.jitter, RTT_MAX)),
    bufferBytes: bytesOf("buffer", texts.buffer ?? BUFFER, 0, BUFFER_MAX),
    congestion: udp ? "firmware" : (texts.congestion ?? "cubic"),
    streams: wholeOf("streams", texts.streams, 1, STREAMS_MAX),
    windowBytes: texts.window === undefined ? null : bytesOf("window", texts.window, 1460, BUFFER_MAX),
    inFlightBytes:
      texts.inFlight === undefined ? null : bytesOf("in-flight", texts.inFlight, 1460, BUFFER_MAX),
    bytes: texts.bytes === undefined ? null : bytesOf("bytes", texts.bytes, 1, BYTES_MAX),
    durationTicks: texts.bytes === undefined ? duration : ticksOf(HOURS_MAX) - omit,
    omitTicks: omit,
    seed: wholeOf("seed", texts.seed, 0, SEED_MAX),
  });
  return { ...probe, pause: pauseOf(texts, probe) };
}

const ms = (ns: number): string => `${(ns / 1e6).toPrecision(6)} ms`;

function table(probe: LinkProbe, r: LinkResult): string {
  const rows: [string, string][] = [
    ["goodput", `${(r.goodputBitsPerSecond / 1e6).toPrecision(6)} Mbit/s`],
    ["payload acknowledged", `${grouped(r.payloadBytes)} B${r.complete ? ", all of it" : ""}`],
    ["on the wire", `${grouped(r.wireBytes)} B in ${grouped(r.frames)} frames, ${grouped(r.acks)} back`],
    ["time", `${ms(r.elapsedNs)} after a handshake of ${ms(r.handshakeNs)}`],
    ["lost, dropped", `${grouped(r.lostFrames)}, ${grouped(r.droppedFrames)} frames`],
    ["sent again", `${grouped(r.retransmits)} segments`],
    ["windows cut", `${r.lossEvents} times, ${r.timeouts} by a timeout`],
    ["smoothed RTT", ms(r.srttMeanNs)],
  ];
  if (probe.pause !== null)
    rows.push(["stood still", `${ms(r.pausedNs)} by ${grouped(r.pauseFrames)} PAUSE frames`]);
  if (probe.streams > 1) rows.push(["of each stream", `${r.streams.map((n) => grouped(n)).join(", ")} B`]);
  return rows.map(([name, value]) => `  ${name.padEnd(22)}${value}\n`).join("");
}

const nsOf = (ticks: bigint | number): number => Number(ticks) / TICKS_PER_NS;

/** What the options say, with units. */
function askedOf(texts: LinkTexts, probe: LinkProbe): LinkAsked {
  const bitsPerSecond = (text: string): number => {
    const { num, den } = quantity("rate", text, "rate");
    return Number(num) / Number(den);
  };
  const { transport, ip, macsec, tls } = texts;
  return {
    rateBitsPerSecond: bitsPerSecond(texts.rate),
    portBitsPerSecond: texts.port === undefined ? null : bitsPerSecond(texts.port),
    mtuBytes: probe.mtuBytes,
    rttNs: nsOf(probe.rttTicks),
    lossShare: probe.loss,
    lossBackShare: probe.lossBack,
    jitterNs: nsOf(probe.jitterTicks),
    transport,
    congestion: probe.congestion === "firmware" ? null : probe.congestion,
    streams: probe.streams,
    windowBytes: probe.windowBytes,
    inFlightBytes: probe.inFlightBytes,
    bufferBytes: texts.buffer === undefined ? null : probe.bufferBytes,
    pause: probe.pause !== null,
    hopNs: probe.pause === null ? null : nsOf(probe.pause.hopTicks),
    vlan: Number(texts.vlan),
    ip,
    vxlan: texts.vxlan === true,
    macsec,
    esp: texts.esp === true,
    tls,
    bytes: probe.bytes,
    durationNs: probe.bytes === null ? nsOf(probe.durationTicks) : null,
    omitNs: nsOf(probe.omitTicks),
    seed: probe.seed,
  };
}

/** How far a transfer is, with what is left of the time at the pace so far. */
export function progressOf(probe: LinkProbe, { atNs, acknowledgedBytes }: LinkStep, spentMs: number): string {
  const ofTime = atNs / nsOf(probe.omitTicks + probe.durationTicks);
  const done = probe.bytes === null ? ofTime : Math.max(ofTime, acknowledgedBytes / probe.bytes);
  const left = done > 0 ? `, about ${Math.ceil((spentMs * Math.max(0, 1 / done - 1)) / 1000)} s left` : "";
  const percent = Math.min(99, Math.floor(100 * done));
  const simulated = `${(atNs / 1e6).toFixed(1)} ms simulated`;
  return `${percent} %, ${simulated}, ${grouped(acknowledgedBytes)} B acknowledged${left}`;
}

/**
 * Runs the transfer, with a line on stderr every 10 s.
 * @throws InputError when nothing of it was measured; Interrupted
 */
async function transfer(core: Core, probe: LinkProbe): Promise<LinkResult> {
  const startMs = Date.now();
  const told = reporter((at: LinkStep) => progressOf(probe, at, Date.now() - startMs));
  const result = await untilInterrupted(linkSteps(core, probe), told);
  if (!result.complete || result.elapsedNs > nsOf(probe.omitTicks)) return result;
  throw new InputError(`--omit: the transfer had ended after ${ms(result.elapsedNs)}; write less`);
}

/**
 * The text of the command.
 * @param version of dpusim, for the JSON
 * @throws InputError, Interrupted
 */
export async function probeLinkCommand(texts: LinkTexts, version: string): Promise<string> {
  const curve = texts.curve === true;
  if (curve && texts.json !== true) throw new InputError("--curve: has no effect without --json; add it");
  const probe = probeOf(texts);
  const result = await transfer(new Core(coreModule(texts.core as Variant)), probe);
  if (texts.json !== true) return table(probe, result);
  return linkJson(linkReport(probe, result, { asked: askedOf(texts, probe), curve, version }));
}
