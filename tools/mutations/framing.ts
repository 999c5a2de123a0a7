// SPDX-License-Identifier: Apache-2.0
// What encloses the payload of `probe link`.
import type { Row } from "./row.ts";

export const framing: readonly Row[] = [
  [
    "framing",
    "src/probe/framing",
    "data of a TLS record that is not whole",
    "return Math.floor(stream / (TLS_RECORD_BYTES + tlsBytes)) * TLS_RECORD_BYTES;",
    "return Math.ceil(stream / (TLS_RECORD_BYTES + tlsBytes)) * TLS_RECORD_BYTES;",
    "framing: records that are not whole",
  ],
  [
    "framing",
    "src/probe/link",
    "packets of a probe with ESP are not padded",
    "[abi.G_NET_PAD_TO, probe.padToBytes],",
    "[abi.G_NET_PAD_TO, 1],",
    "framing: wire",
  ],
  [
    "framing",
    "src/probe/framing",
    "what a firmware recovers by is a header of the probe",
    "filled.packetHeaderBytes - (udp ? RECOVERY_BYTES : 0)",
    "filled.packetHeaderBytes",
    "framing: wire",
  ],
];
