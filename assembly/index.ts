// SPDX-License-Identifier: Apache-2.0
// What the core exports, in the order a run meets it.
export { globalParams, sideParams } from "./kernel/params";
export { arenaTop } from "./kernel/memory";
export { build, clockNow, notHome, run } from "./board";
export { bytesWrittenOff, cardWrittenOff, differingDevice, recordsWrittenOff } from "./board-home";
export { buildPcieProbe, closePcieProbe, probeLatencies, probeMarks, runPcieProbe } from "./board-pcie";
export { buildSoftware, runSoftware } from "./board-qemu";
export { qemuTimes } from "./kernel/qemu-rounds";
export { qemuParams, qemuReading } from "./kernel/qemu-stream";
export { deviceParams, devicesAt } from "./kernel/device-writes";
export { setJitter } from "./kernel/root";
export { handshakeTicks } from "./board-net";
export { buildAlone, peerPut, peerRecord, peerTake, runAlone } from "./board-alone";
export { buildLink, linkReading, runLink } from "./board-link";
export {
  sourceImageAt,
  sourceVersionsAt,
  sourceWordsAt,
  placedImageAt,
  placedVersionsAt,
  deviceState,
  devicePlace,
} from "./kernel/pages";
export { guestCount, guestTable } from "./kernel/guests";
export { touchersAt } from "./kernel/touch";
export { bodiesAt, eventsAt, inputGiven, vcpusAt } from "./host/guest";
export { contentWord, scratch } from "./card/sizing";
export { probeSeal } from "./board-probe";
export { logAt, roundsAt, seriesAt, seriesWindow } from "./kernel/log";
export {
  accountsAt,
  brokenAt,
  brokenInvariant,
  brokenLeft,
  brokenRight,
  countersAt,
  evaluated,
  histogramsAt,
} from "./kernel/stats";
export { cutStalls } from "./kernel/dirty-log";
export { wireFrom } from "./kernel/round";
export { requestAccountsAt, requestCountersAt } from "./kernel/request";
export { keyWord } from "./board-wiring";
export { answeredAtSource, askedAtSource, storageSlots, storageTables } from "./kernel/storage";
export { storageParams } from "./kernel/storage-params";
export { timelineAt, timelineCount } from "./kernel/timeline";
export { linkClosed } from "./kernel/trouble";
export { edgeAfter, edgeAt, setDomain } from "./kernel/time";
export { lz4Compress, lz4Decompress } from "./codec/lz4";
export {
  lz4hwCompress,
  lz4hwConfigure,
  lz4hwConflicts,
  lz4hwCycles,
  lz4hwDrainCycles,
  lz4hwMatches,
  lz4hwOutCycles,
  lz4hwScanCycles,
  lz4hwTokens,
} from "./codec/lz4hw";
export { gcmOpen, gcmSeal, gcmSetKey } from "./codec/gcm";
export { crc32 } from "./codec/crc";
export { xbzrleDecode, xbzrleEncode, xbzrleEncodeAsQemu } from "./codec/xbzrle";
