// SPDX-License-Identifier: Apache-2.0
/** Statistics of a card that scans the bitmap itself: all of the source. */
import * as abi from "../../assembly/abi.ts";

const row = (name: string, at: number, unit: string, text: string) => ({ name, at, unit, text, sides: [0] });

export const SCAN_COUNTERS = [
  row("card.scan.wordsRead", abi.C_SCAN_READ, "words", "words of the bitmap that the card read"),
  row("card.scan.wordsTaken", abi.C_SCAN_TAKEN, "words", "those that it took, with their marks"),
  row("card.scan.wireBytes", abi.C_SCAN_BYTES, "B", "bytes on the PCIe wires for both"),
  row("card.scan.flushes", abi.C_SCAN_FLUSHES, "flushes", "flushes of TLBs that it asked for"),
];
