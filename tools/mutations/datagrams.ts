// SPDX-License-Identifier: Apache-2.0
// Work of a card's firmware for datagrams.
import type { Row } from "./row.ts";

const TO_THE_TICK = "datagrams: every frame and handler of random migrations, to the tick";

export const datagrams: readonly Row[] = [
  [
    "datagrams",
    "kernel/datagrams",
    "firmware: an acknowledgement of datagrams costs a cycle less",
    "0, p32(side, S_DATAGRAM_ACK), t);",
    "0, p32(side, S_DATAGRAM_ACK) - 1, t);",
    TO_THE_TICK,
  ],
  [
    "datagrams",
    "kernel/datagrams",
    "firmware: decisions on datagrams cost as much as one",
    "n * p32(side, S_DATAGRAM_AGAIN), t);",
    "p32(side, S_DATAGRAM_AGAIN), t);",
    TO_THE_TICK,
  ],
  [
    "datagrams",
    "kernel/sending",
    "firmware: datagrams go again before that is decided",
    "  if (c.waiting > c.undecided) {",
    "  if (c.waiting != 0) {",
    TO_THE_TICK,
  ],
  [
    "datagrams",
    "channel/tcp-lossy",
    "firmware: acknowledgements of datagrams act before a core has heard them",
    "      wake(side, U_CONTROL, t);\n      continue;\n",
    "      wake(side, U_CONTROL, t);\n",
    TO_THE_TICK,
  ],
];
