// SPDX-License-Identifier: Apache-2.0
// What the probe of `npm run mutate` claims, of the core as it is: sums by hand, other codecs, whole runs.
import { suite } from "uvu";
import {
  checkCompletions,
  checkEcrc,
  checkInterrupts,
  checkLinkDown,
  checkOtherIo,
  checkPcieDown,
  checkRelaxed,
  checkSpoilt,
} from "./lib/claims/around.ts";
import { CIPHERS, chainRun, checkChain, ENGINE } from "./lib/claims/chain.ts";
import { checkClocks, checkCrc, checkGcm, checkHardwareLz4, checkSoftwareLz4 } from "./lib/claims/codec.ts";
import { checkDeltaRuns, checkDeltas } from "./lib/claims/delta.ts";
import { checkBlockedCores } from "./lib/claims/rest.ts";
import * as runs from "./lib/claims/runs.ts";
import { checkBounds, checkFlippedBit, checkRepeatedNumber, checkSource } from "./lib/claims/spoil.ts";
import { checkHashes, checkLists, checkStream } from "./lib/claims/traces.ts";
import { checkWire, WIRE_RUNS } from "./lib/claims/wire.ts";

const exact = suite("sums by hand");
exact("every stage of one page and of the device state, to the tick", () => checkChain(chainRun()));
exact("the same with encoders that have a clock of their own", () => checkChain(chainRun("lean", ENGINE)));
exact("the same with ciphers that have", () => checkChain(chainRun("lean", CIPHERS)));
for (const [sets, bytes] of WIRE_RUNS) {
  exact(`packets, frames and busy times: ${sets.join(" ")}`, () => checkWire(sets, bytes));
}
exact.run();

const codec = suite("codecs and clocks beside others");
codec("edges of rational clocks", checkClocks);
codec("CRC-32", checkCrc);
codec("AES-GCM and OpenSSL", checkGcm);
codec("the hardware encoder and the slow one", checkHardwareLz4);
codec("software LZ4, lz4js and spoilt blocks", checkSoftwareLz4);
codec("XBZRLE and the slow one", checkDeltas);
codec.run();

const traces = suite("trace files");
traces("a wrong hash", checkHashes);
traces("the last copy of a page of a QEMU stream, and its end", checkStream);
traces("writes in the epochs that have their times", checkLists);
traces.run();

const whole = suite("whole runs");
whole("invariants in every mode", runs.checkMigrations);
whole("small pools lose nothing and beat no bound", runs.checkPools);
whole("cores that have nothing to do say what they wait for", checkBlockedCores);
whole("slow start takes its round trips and no timer", runs.checkSlowStart);
whole("round limit and stop rule", runs.checkRounds);
for (const pages of ["dma", "vsock"] as const) {
  whole(`a deadline is one, whatever is being done: ${pages}`, () => runs.checkDeadlines(pages));
}
whole("what memory serves is charged up to the end", runs.checkServed);
whole("all pages are there when the guest resumes", runs.checkResume);
whole("faults stall the vCPU that wrote", runs.checkStalls);
whole("a torn page is the version that it says", runs.checkVersions);
whole("deltas of pages, from a large cache and a small one", checkDeltaRuns);
whole.run();

const spoilt = suite("negative controls");
spoilt("a bit of a record that flips between the cards: record-authentic", checkFlippedBit);
spoilt("a record's number that comes again: records-in-sequence", checkRepeatedNumber);
spoilt("a byte or a version of the source's memory: source-intact", checkSource);
spoilt("hardware that is faster than the scenario says: bounds-hold", checkBounds);
spoilt.run();

const around = suite("around a migration");
around("packets that arrive spoilt", checkSpoilt);
around("an end-to-end CRC", checkEcrc);
around("writes that pass each other, and control that does not", checkRelaxed);
around("a PCIe link that is down", checkPcieDown);
around("an external link that is down", checkLinkDown);
around("other I/O", checkOtherIo);
around("completion records", checkCompletions);
around("interrupts that are held", checkInterrupts);
around.run();
