// SPDX-License-Identifier: Apache-2.0
// Framing of `probe link`, layer by layer by hand.
import * as abi from "../../../assembly/abi.ts";
import { Core, coreModule } from "../../../src/core.ts";
import { probeFraming } from "../../../src/probe/framing.ts";
import { linkProbe, probeLink } from "../../../src/probe/link.ts";
import type { FramingKeys } from "../../../src/scenario/fill.ts";
import { generator } from "../random.ts";
import { claim, same } from "./expect.ts";

const core = new Core(coreModule());
const PLAIN: FramingKeys = { vlan: 0, ip: "v4", vxlan: "off", macsec: "off", esp: "off", tls: "off" };

/** Layers of a packet by hand: bytes in front of and behind so much payload of TCP or UDP, within the MTU. */
function packet(keys: FramingKeys, udp: boolean, payload: number): number {
  let bytes = payload + (udp ? 8 : 20 + 12);
  bytes += keys.ip === "v6" ? 40 : 20;
  // Ethernet, VXLAN, UDP, IPv4
  if (keys.vxlan === "on") bytes += 14 + 8 + 8 + 20;
  // SPI, sequence, IV; padded with its two bytes of trailer to 4; ICV; IPv4
  if (keys.esp === "tunnel") bytes = 8 + 8 + Math.ceil((bytes + 2) / 4) * 4 + 16 + 20;
  return bytes;
}

function frame(keys: FramingKeys, packetBytes: number): number {
  let bytes = 6 + 6 + 2 + packetBytes + 4;
  bytes += 4 * keys.vlan;
  // EtherType, TCI, short length, packet number; SCI; ICV
  if (keys.macsec !== "off") bytes += 2 + 6 + (keys.macsec === "sci" ? 8 : 0) + 16;
  return 8 + Math.max(64, bytes) + 12;
}

/** The most payload that a packet of the MTU holds, found by trying. */
function mostPayload(keys: FramingKeys, udp: boolean, mtu: number): number {
  let payload = mtu;
  while (packet(keys, udp, payload) > mtu) payload--;
  return payload;
}

/** Records of TLS, one after another. */
function streamOf(keys: FramingKeys, data: number): number {
  let bytes = 0;
  for (let left = data; left > 0; left -= 16384) {
    bytes += Math.min(left, 16384);
    if (keys.tls === "v1.3") bytes += 5 + 1 + 16;
    if (keys.tls === "v1.2") bytes += 5 + 8 + 16;
  }
  return bytes;
}

/** Bytes on the wire of so much data, a full frame after another. */
export function wireOf(keys: FramingKeys, udp: boolean, mtu: number, data: number): number {
  const full = mostPayload(keys, udp, mtu);
  let wire = 0;
  for (let left = streamOf(keys, data); left > 0; left -= full)
    wire += frame(keys, packet(keys, udp, Math.min(left, full)));
  return wire;
}

function keysOf(next: () => number): FramingKeys {
  const of = <T>(...list: T[]): T => list[Math.floor(next() * list.length)]!;
  return {
    vlan: of(0, 1, 2),
    ip: of("v4", "v6"),
    vxlan: of("off", "on"),
    macsec: of("off", "sci", "short"),
    esp: of("off", "tunnel"),
    tls: of("off", "v1.2", "v1.3"),
  };
}

/** A random transfer: bytes on the wire and data, exactly. */
export function checkTransfer(seed: number): void {
  const next = generator(seed);
  const keys = keysOf(next);
  const udp = next() < 0.3;
  const mtuBytes = 576 + Math.floor(next() * 8640);
  // less than the window of a SYN, whose edge would cut a segment
  const bytes = 1 + Math.floor(next() * 65_000);
  const probe = linkProbe({
    ...probeFraming(keys, udp),
    congestion: udp ? "firmware" : "cubic",
    ticksPerByte: null,
    portTicksPerByte: [81_920, 1],
    rttTicks: 20_000 * abi.TICKS_PER_NS,
    mtuBytes,
    bufferBytes: 0,
    bytes,
  });
  const result = probeLink(core, probe);
  const wire = wireOf(keys, udp, mtuBytes, bytes);
  same("framing: complete", result.complete, true);
  same("framing: data", result.payloadBytes, bytes);
  same(`framing: wire of ${JSON.stringify({ keys, udp, mtuBytes, bytes })}`, result.wireBytes, wire);
}

/** Before the end, data counts by whole records. */
export function checkRecords(): void {
  const durationTicks = BigInt(2_000_000 * abi.TICKS_PER_NS);
  const own = { rttTicks: 100_000 * abi.TICKS_PER_NS, mtuBytes: 1500, bufferBytes: 0, bytes: 100_000 };
  const link = {
    ticksPerByte: null,
    portTicksPerByte: [8_192_000, 1] as [number, number],
    durationTicks,
    ...own,
  };
  const sealed = probeLink(core, linkProbe({ ...link, ...probeFraming({ ...PLAIN, tls: "v1.2" }) }));
  const plain = probeLink(core, linkProbe({ ...link, ...probeFraming(PLAIN) }));
  const steps = [...new Set(sealed.acknowledged.map(([, bytes]) => bytes))];
  same("framing: whole records", steps.filter((bytes) => bytes % 16384 !== 0).join(), "100000");
  claim("framing: records", steps.length > 3, steps.length, "more than 3 steps");
  const ahead = sealed.acknowledged.some(([, bytes], i) => bytes > (plain.acknowledged[i]?.[1] ?? 100_000));
  claim("framing: records that are not whole", !ahead, "counted", "left out");
}

export function checkFramings(): void {
  checkRecords();
  for (let seed = 1; seed <= 12; seed++) checkTransfer(seed);
}
