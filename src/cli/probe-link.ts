// SPDX-License-Identifier: Apache-2.0
/** `dpusim probe link`: a bulk transfer over the external channel alone. */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import { Core, coreModule, type Variant } from "../core.ts";
import { type ProbeFraming, probeFraming } from "../probe/framing.ts";
import { type LinkProbe, type LinkResult, linkProbe, PREAMBLE_GAP, probeLink } from "../probe/link.ts";
import { grouped } from "../report/format.ts";
import { ticksPerByte } from "../scenario/fill.ts";
import { DEFAULT_HOP, defaultMarks, QUANTA_MAX } from "../scenario/pause.ts";
import type { ResolvedPause } from "../scenario/types-link.ts";
import { compare, formatQuantity, parseDecimal, type Rational, show, ticksOf } from "../scenario/units.ts";
import { InputError } from "./errors.ts";
import { bytesOf, parsed, quantity, wholeOf } from "./options.ts";

/** Options of the command as texts. */
interface LinkTexts {
  readonly rate: string;
  readonly mtu: string;
  readonly rtt: string;
  readonly loss: string;
  readonly lossBack: string;
  readonly jitter: string;
  readonly transport: "tcp" | "udp";
  readonly congestion: "reno" | "cubic";
  readonly streams: string;
  readonly window?: string;
  readonly inFlight?: string;
  readonly buffer: string;
  readonly port: string;
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
  readonly core: string;
}

const MTU_MIN = 576;
const MTU_MAX = 9216;
const STREAMS_MAX = 32;
const VLAN_MAX = 2;
const BYTES_MAX = 2 ** 46;
const BUFFER_MAX = 2 ** 30;
const SEED_MAX = 2 ** 32 - 1;
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

function lossOf(option: string, text: string): number {
  const { num, den } = parsed(option, () => parseDecimal(text));
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

/** The probe that the options describe. @throws InputError */
export function probeOf(texts: LinkTexts): LinkProbe {
  const rate = quantity("rate", texts.rate, "rate");
  const port = quantity("port", texts.port, "rate");
  const perByte = (option: string, value: Rational) => {
    if (value.num <= 0n) throw new InputError(`--${option}: 0 bit/s carries nothing; write e.g. 100Gbit/s`);
    return parsed(option, () => ticksPerByte(value));
  };
  // a port no faster than the path is the bottleneck: it holds the sender back, and no frame is dropped
  // UDP has nothing but its own rate that keeps it from overrunning a queue
  const udp = texts.transport === "udp";
  const faster = (!udp || texts.pause === true) && compare(port, rate) > 0;
  if (texts.bytes !== undefined && texts.duration !== undefined) {
    throw new InputError("--duration: stands beside --bytes; keep one of the two");
  }
  const omit = ticksOfOption("omit", texts.omit, HOURS_MAX);
  const probe = linkProbe({
    ...framingOf(texts),
    ticksPerByte: faster ? perByte("rate", rate) : null,
    portTicksPerByte: perByte("port", faster ? port : rate),
    rttTicks: Number(ticksOfOption("rtt", texts.rtt, RTT_MAX)),
    mtuBytes: bytesOf("mtu", texts.mtu, MTU_MIN, MTU_MAX),
    loss: lossOf("loss", texts.loss),
    lossBack: lossOf("loss-back", texts.lossBack),
    jitterTicks: Number(ticksOfOption("jitter", texts.jitter, RTT_MAX)),
    bufferBytes: bytesOf("buffer", texts.buffer, 0, BUFFER_MAX),
    congestion: udp ? "firmware" : texts.congestion,
    streams: wholeOf("streams", texts.streams, 1, STREAMS_MAX),
    windowBytes: texts.window === undefined ? null : bytesOf("window", texts.window, 1460, BUFFER_MAX),
    inFlightBytes:
      texts.inFlight === undefined ? null : bytesOf("in-flight", texts.inFlight, 1460, BUFFER_MAX),
    bytes: texts.bytes === undefined ? null : bytesOf("bytes", texts.bytes, 1, BYTES_MAX),
    durationTicks:
      texts.bytes !== undefined
        ? ticksOf(HOURS_MAX) - omit
        : ticksOfOption("duration", texts.duration ?? "1 s", HOURS_MAX),
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

/** The text of the command. @throws InputError */
export function probeLinkCommand(texts: LinkTexts): string {
  const probe = probeOf(texts);
  const { streams, ...rest } = probeLink(new Core(coreModule(texts.core as Variant)), probe);
  if (texts.json !== true) return table(probe, { ...rest, streams });
  const seconds = Math.max(rest.elapsedNs - Number(probe.omitTicks) / TICKS_PER_NS, 1) / 1e9;
  const perStream = streams.map((bytes) => (bytes * 8) / seconds);
  return `${JSON.stringify({ ...rest, streams: perStream }, null, 1)}\n`;
}
