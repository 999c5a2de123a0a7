// SPDX-License-Identifier: Apache-2.0
// Several guests of one server.
import type { Row } from "./row.ts";

export const guests: readonly Row[] = [
  [
    "guests",
    "firmware/builtin",
    "a round has the bytes of all before it",
    "    m.sent = wire - q.roundWire;",
    "    m.sent = wire;",
    "rounds-fit-link",
  ],
  [
    "guests",
    "kernel/evacuation",
    "guests: a guest that has stopped goes on writing",
    "  stopVcpus(turn);\n",
    "",
    "invariant destination-equals-source",
  ],
  [
    "guests",
    "kernel/evacuation",
    "guests: fair always begins with the first",
    "order == ORDER_FAIR && !first ? (turn + 1 + i) % guestCount : i",
    "i",
    "whose rounds they are",
  ],
  [
    "guests",
    "kernel/evacuation",
    "guests: the longest goes first",
    "    if (dirty >= least) continue;",
    "    if (dirty <= least && best != guestCount) continue;",
    "whose rounds they are",
  ],
  [
    "guests",
    "kernel/evacuation",
    "guests: a guest that has moved has another turn",
    "  setStatus(turn, GUEST_MOVED);\n",
    "",
    "invariant guest-moves-once",
  ],
  [
    "guests",
    "kernel/guests",
    "guests: the device state of a guest is awaited as if it were all",
    "  return there == NO_GUEST ? deviceBefore : deviceBefore + ofGuest(there, GT_DEVICE_BYTES);",
    "  return deviceBefore;",
    "invariant device-state-equal",
  ],
];
