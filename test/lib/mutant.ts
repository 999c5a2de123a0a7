// SPDX-License-Identifier: Apache-2.0
// The probe of `npm run mutate`: every claim about the core that DPUSIM_CORE_WASM names and the harness
// beside this file. Exits 0 when all hold, else the last line names the claim or the invariant. The first
// argument picks a group.

import { checkCopies, checkStored, checkStoredRecords } from "./claims/ahead.ts";
import { checkAlone } from "./claims/alone.ts";
import {
  checkCompletions,
  checkEcrc,
  checkInterrupts,
  checkLinkDown,
  checkOtherIo,
  checkPcieDown,
  checkRelaxed,
  checkSpoilt,
} from "./claims/around.ts";
import { CIPHERS, chainRun, checkChain, ENGINE } from "./claims/chain.ts";
import { checkAllChoices } from "./claims/choice.ts";
import { checkBeaten, checkClairvoyants } from "./claims/clairvoyant.ts";
import { checkClocks, checkCrc, checkGcm, checkHardwareLz4, checkSoftwareLz4 } from "./claims/codec.ts";
import { checkDatagrams } from "./claims/datagrams.ts";
import { checkSealed } from "./claims/deferred.ts";
import { checkDeltaRuns, checkDeltas } from "./claims/delta.ts";
import { checkRingRate, checkSeen, checkUnsafe } from "./claims/devices.ts";
import * as failing from "./claims/failing.ts";
import {
  checkCorrupt,
  checkGivenUp,
  checkGoingOn,
  checkReset,
  checkRetry,
  checkSilence,
  checkTooLate,
  SEALED_RETRY,
} from "./claims/failures.ts";
import { checkFramings } from "./claims/framing.ts";
import { checkServer, checkTurns } from "./claims/guests.ts";
import { checkWorkers } from "./claims/handed.ts";
import { checkAllHandedBack } from "./claims/handed-back.ts";
import { checkHostCosts, checkSoftwareBehindCards } from "./claims/host-costs.ts";
import { checkHosts } from "./claims/hosts.ts";
import { checkAtomics, checkCardLimits } from "./claims/limits.ts";
import { checkTransfers } from "./claims/lossy.ts";
import { checkAllJobs } from "./claims/pages-jobs.ts";
import { checkParams } from "./claims/params.ts";
import { checkStages } from "./claims/placement.ts";
import {
  checkProbeParams,
  checkRandomProbes,
  checkRelaxedProbes,
  checkSpoiltReads,
  checkTranslatedProbes,
  checkWalksAhead,
} from "./claims/probe.ts";
import { checkThread } from "./claims/qemu.ts";
import { checkAhead, checkLimits } from "./claims/qemu-limits.ts";
import { checkEncoded } from "./claims/qemu-xbzrle.ts";
import { checkDemand, checkModes } from "./claims/residual.ts";
import { checkBlockedCores, checkCoresDown } from "./claims/rest.ts";
import { checkOverflow } from "./claims/ring-overflow.ts";
import * as runs from "./claims/runs.ts";
import { checkDroppedFlush, checkFlushTimes, checkScans } from "./claims/scan.ts";
import { checkSeals, checkStoppedSeals } from "./claims/seal.ts";
import { checkBounds, checkFlippedBit, checkRepeatedNumber, checkSource } from "./claims/spoil.ts";
import { checkStorage } from "./claims/storage.ts";
import { checkHashes, checkLists, checkStream } from "./claims/traces.ts";
import { checkGroups, checkLogs } from "./claims/trackers.ts";
import { checkWire, WIRE_RUNS } from "./claims/wire.ts";

/** What is checked, cheapest first; `runs` are whole migrations. */
const GROUPS: Readonly<Record<string, readonly (() => void)[]>> = {
  codec: [checkClocks, checkCrc, checkGcm, checkHardwareLz4, checkSoftwareLz4],
  delta: [checkDeltas, checkDeltaRuns],
  traces: [checkHashes, checkStream, checkLists],
  params: [checkParams],
  probe: [
    checkProbeParams,
    checkWalksAhead,
    checkRelaxedProbes,
    checkTranslatedProbes,
    checkSpoiltReads,
    checkRandomProbes,
  ],
  seal: [checkSeals],
  exact: [
    () => checkChain(chainRun()),
    () => checkChain(chainRun("lean", ENGINE)),
    () => checkChain(chainRun("lean", CIPHERS)),
    ...WIRE_RUNS.map(
      ([sets, bytes]) =>
        () =>
          checkWire(sets, bytes),
    ),
    checkBlockedCores,
  ],
  lossy: [checkTransfers],
  datagrams: [() => void checkDatagrams([1, 2, 3, 4, 5, 6, 7, 8])],
  runs: [
    runs.checkMigrations,
    runs.checkPools,
    runs.checkSlowStart,
    runs.checkRounds,
    () => runs.checkDeadlines("dma"),
    () => runs.checkDeadlines("vsock"),
    runs.checkServed,
    runs.checkResume,
    runs.checkStalls,
    runs.checkVersions,
  ],
  residual: [checkModes, checkDemand],
  deferred: [checkSealed],
  ahead: [checkStored, checkStoredRecords, checkCopies],
  guests: [checkServer, checkTurns],
  trackers: [checkGroups, checkLogs],
  scan: [checkScans, checkFlushTimes, checkDroppedFlush, checkOverflow],
  devices: [checkUnsafe, checkSeen, checkRingRate],
  storage: [checkStorage],
  around: [
    checkSpoilt,
    checkEcrc,
    checkRelaxed,
    checkPcieDown,
    checkLinkDown,
    checkOtherIo,
    checkCompletions,
    checkInterrupts,
  ],
  failures: [
    checkGoingOn,
    checkTooLate,
    checkGivenUp,
    checkSilence,
    () => checkCorrupt("full"),
    () => checkCorrupt("sized"),
    checkReset,
    () => checkRetry(SEALED_RETRY),
  ],
  failing: [
    () => failing.checkCipherFails("seal", "full"),
    failing.checkCutHandler,
    checkCoresDown,
    () => failing.checkAskedAgain("full"),
    failing.checkOnDemand,
    failing.checkClosedBehindGap,
    () => failing.checkDecoderFails(),
    checkStoppedSeals,
  ],
  alone: [checkAlone],
  spoil: [checkFlippedBit, checkRepeatedNumber, checkSource, checkBounds],
  framing: [checkFramings],
  clairvoyant: [checkBeaten, checkClairvoyants],
  choice: [checkAllChoices, checkAllHandedBack],
  jobs: [checkAllJobs],
  placement: [checkStages, checkWorkers],
  hosts: [checkHosts],
  qemu: [checkThread, checkEncoded],
  software: [checkHostCosts, checkSoftwareBehindCards],
  limits: [checkAtomics, checkCardLimits],
  "qemu-limits": [() => checkLimits(12), () => checkAhead(30)],
};

function main(group: string | undefined): void {
  const chosen = group === undefined ? Object.values(GROUPS).flat() : GROUPS[group];
  if (chosen === undefined) throw new Error(`no group ${group}: ${Object.keys(GROUPS).join(", ")}`);
  for (const check of chosen) check();
}

try {
  main(process.argv[2]);
} catch (error) {
  console.log((error as Error).message.split("\n").join(" ").slice(0, 300));
  process.exitCode = 1;
}
