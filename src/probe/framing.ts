// SPDX-License-Identifier: Apache-2.0
/**
 * What encloses the payload of `probe link`: the layers of `link.framing`, by its numbers.
 *
 *   frame  = preamble and gap 20 + header and FCS 18 + 4 a VLAN tag + MACsec + packet
 *   packet = IP + transport + VXLAN + ESP + payload, at most the MTU, padded to 4 with ESP
 *   stream = records of TLS: 16384 B of data at most and `tlsBytes` more each
 *
 * With TLS what counts as payload is the data of whole records: of one that is not complete nothing can be
 * opened. What a firmware recovers by over UDP is payload here, where `link.framing` counts it as header.
 * Leaves out: the handshake of TLS and its padding, Ethernet's padding of a last short frame beside MACsec.
 */
import { type FramingKeys, fillFraming } from "../scenario/fill.ts";

/** Ethernet's header and FCS. */
export const HEADER_FCS = 18;
/** Data of a full TLS record (RFC 8446, 5.1; RFC 5246, 6.2.1). */
export const TLS_RECORD_BYTES = 16384;
/** What a firmware recovers by: connection and position 12, acknowledgement 4. */
const RECOVERY_BYTES = 16;

/** Bytes around a payload. */
export interface ProbeFraming {
  /** Of the MTU. */
  readonly headerBytes: number;
  /** Header, tags and FCS of a frame, outside the MTU. */
  readonly framingBytes: number;
  /** What a packet is padded to. */
  readonly padToBytes: number;
  /** Around a record of TLS; 0 without. */
  readonly tlsBytes: number;
}

/** Framing by the keys of `link.framing`; without them IPv4 and TCP, or UDP, in a plain frame. */
export function probeFraming(keys?: FramingKeys, udp = false): ProbeFraming {
  const filled = fillFraming({ headerBytes: HEADER_FCS }, keys, udp);
  return {
    headerBytes: filled.packetHeaderBytes - (udp ? RECOVERY_BYTES : 0),
    framingBytes: filled.headerBytes,
    padToBytes: filled.padToBytes,
    tlsBytes: filled.tlsBytes,
  };
}

/** Payload of a full segment. */
export function fullSegment(mtuBytes: number, { headerBytes, padToBytes }: ProbeFraming): number {
  return Math.floor(mtuBytes / padToBytes) * padToBytes - headerBytes;
}

/** Bytes of the stream that so many bytes of data take. */
export function sealedBytes(data: number, tlsBytes: number): number {
  return data + Math.ceil(data / TLS_RECORD_BYTES) * tlsBytes;
}

/** Data in so many bytes of the stream: all of it when `data` are there, else that of whole records. */
export function openedBytes(stream: number, tlsBytes: number, data: number | null): number {
  if (tlsBytes === 0) return stream;
  if (data !== null && stream === sealedBytes(data, tlsBytes)) return data;
  return Math.floor(stream / (TLS_RECORD_BYTES + tlsBytes)) * TLS_RECORD_BYTES;
}
