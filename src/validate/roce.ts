// SPDX-License-Identifier: Apache-2.0
/**
 * RoCEv2, TLS and caps on what is in flight, on the core's link board. A RoCE packet is a UDP datagram:
 *
 *   wire = 20 + 14 + IPv4 20 + UDP 8 + BTH 12 (+ RETH 16 of a WRITE that is one packet) + n + ICRC 4 + FCS 4
 *
 * (InfiniBand Architecture Specification, annex A17.) Its acknowledgements, go-back-N and rate control are
 * not simulated: what carries it here is the cards' own UDP. A queue pair that may have W bytes in flight
 * sends W / RTT, as a TCP with a cap does.
 */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import { Core, coreModule } from "../core.ts";
import { HEADER_FCS, probeFraming } from "../probe/framing.ts";
import { type LinkProbe, linkProbe, PREAMBLE_GAP, probeLink } from "../probe/link.ts";
import { type Point, point, type Tolerance } from "./types.ts";

const SUITE = "ethernet";
const TICKS_PER_MS = TICKS_PER_NS * 1_000_000;
/** IPv4 20, UDP 8, BTH 12, ICRC 4. */
const ROCE_BYTES = 44;
const RETH_BYTES = 16;
const MEASURED = "PMC7842203, table 2";

const within = (value: number): Tolerance => ({ kind: "percent", value });

/** A port of 100 Gb/s that is the bottleneck, 10 us there and back, unless told otherwise. */
function goodput(core: Core, own: Partial<LinkProbe> & Pick<LinkProbe, "mtuBytes">, ms = 10): number {
  const probe = linkProbe({
    ticksPerByte: null,
    portTicksPerByte: [81_920, 1],
    rttTicks: TICKS_PER_MS / 100,
    bufferBytes: 0,
    omitTicks: BigInt(ms * TICKS_PER_MS),
    durationTicks: BigInt(ms * TICKS_PER_MS),
    ...own,
  });
  return probeLink(core, probe).goodputBitsPerSecond / 1e9;
}

/** Packets of RoCE at 100 Gb/s beside their formula and what was measured. */
function* packets(core: Core): Generator<Point> {
  for (const [id, what, payload, more, measured, tolerance] of [
    ["C4", "WRITE", 2048, RETH_BYTES, 95.2, 1],
    ["C4", "WRITE", 4096, RETH_BYTES, 97.5, 1],
    ["C5", "SEND", 2048, 0, 94.5, 2],
    ["C5", "SEND", 4096, 0, 97.6, 2],
  ] as const) {
    const headerBytes = ROCE_BYTES + more;
    const own = { congestion: "firmware", headerBytes, mtuBytes: payload + headerBytes } as const;
    const simulated = goodput(core, own);
    const quantity = `RoCEv2 ${what}, packets of ${payload} B at 100 Gb/s`;
    const base = { suite: SUITE, quantity, simulated, unit: "Gb/s" };
    const expected = (100 * payload) / (PREAMBLE_GAP + HEADER_FCS + headerBytes + payload);
    const measure = { expected: measured, tolerance: within(tolerance), source: MEASURED };
    yield point({ ...base, id: `${id}-${payload}`, ...measure });
    const formula = { expected, tolerance: within(0.05), source: "derived" };
    yield point({ ...base, id: `${id}-${payload}-formula`, ...formula });
  }
}

/** What a cap leaves over a long way. The second is the shape of a queue pair of which < 1 Gb/s is told. */
function* caps(core: Core): Generator<Point> {
  const rtt = (ms: number) => ({ rttTicks: ms * TICKS_PER_MS, windowBytes: 2 ** 24 });
  const base = { suite: SUITE, source: "derived", tolerance: within(0.1) } as const;
  const tcp = { ...rtt(100), inFlightBytes: 65_536, mtuBytes: 1024 + 52 };
  yield point({
    ...base,
    id: "C7",
    quantity: "TCP with 64 KiB in flight over 100 ms, segments of 1024 B",
    expected: 5.243,
    simulated: 1000 * goodput(core, { ...tcp, portTicksPerByte: [8_192_000, 1] }, 1000),
    unit: "Mb/s",
  });
  const pair = { ...rtt(5), inFlightBytes: 2 ** 19, headerBytes: ROCE_BYTES, mtuBytes: 4096 + ROCE_BYTES };
  yield point({
    ...base,
    id: "queue-pair",
    quantity: "a RoCE queue pair with 512 KiB in flight over 5 ms at 40 Gb/s",
    expected: (8 * 2 ** 19) / 5e6,
    simulated: goodput(core, { ...pair, congestion: "firmware", portTicksPerByte: [204_800, 1] }, 100),
    unit: "Gb/s",
  });
}

/** Data in TLS records of 16 KiB at 100 Gb/s: 16384 / (16384 + 22 or 29) of what TCP carries. */
function* records(core: Core): Generator<Point> {
  const keys = { vlan: 0, ip: "v4", vxlan: "off", macsec: "off", esp: "off" } as const;
  for (const [tls, mtuBytes, expected] of [
    ["v1.3", 1500, 94.022],
    ["v1.2", 1500, 93.982],
    ["v1.3", 9000, 98.871],
    ["v1.2", 9000, 98.829],
  ] as const) {
    yield point({
      suite: SUITE,
      id: `tls-${tls}-${mtuBytes}`,
      quantity: `data in TLS ${tls.slice(1)} over TCP at 100 Gb/s, MTU ${mtuBytes}`,
      expected,
      simulated: goodput(core, { ...probeFraming({ ...keys, tls }), mtuBytes }),
      unit: "Gb/s",
      tolerance: within(0.05),
      source: "derived",
    });
  }
}

/** All points of this file. */
export function* roce(): Generator<Point> {
  const core = new Core(coreModule());
  yield* packets(core);
  yield* caps(core);
  yield* records(core);
}
