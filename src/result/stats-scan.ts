// SPDX-License-Identifier: Apache-2.0
/** Statistics of a card that scans the bitmap itself: all of the source. */
import * as abi from "../../assembly/abi.ts";
import { row, SOURCE } from "./stat-rows.ts";

export const SCAN_COUNTERS = [
  row("card.scan.wordsRead", abi.C_SCAN_READ, "words", SOURCE, "words of the bitmap that the card read"),
  row("card.scan.wordsTaken", abi.C_SCAN_TAKEN, "words", SOURCE, "those that it took, with their marks"),
  row("card.scan.wireBytes", abi.C_SCAN_BYTES, "B", SOURCE, "bytes on the PCIe wires for both"),
  row("card.scan.flushes", abi.C_SCAN_FLUSHES, "flushes", SOURCE, "flushes of TLBs that it asked for"),
];
