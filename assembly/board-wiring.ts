// SPDX-License-Identifier: Apache-2.0
// Which unit feeds which: queues and ports with their sizes, who is woken by them, which requester owns what.
import {
  G_ATTEMPT,
  A_CORE,
  A_DELTA,
  A_DESC,
  A_DOWN,
  A_FRAMER,
  A_FRONTEND,
  A_FUNCTION,
  A_GUEST,
  A_LZ,
  A_MEMORY_READ,
  A_MEMORY_WRITE,
  A_NET,
  A_OPEN,
  A_PLACE,
  A_READ,
  A_RECEIVE,
  A_SCANNER,
  A_STORAGE,
  A_TENANT,
  A_SEAL,
  A_UNLZ,
  A_UP,
  A_VSOCK,
  A_WORKER,
  A_ZERO,
  G_COMPRESS,
  DEVICE_WRITES_MAX,
  G_DEVICES,
  G_ENCRYPT_BITS,
  LAND_DEVICE,
  LAND_MSIX,
  LAND_PAGE,
  LAND_STORAGE,
  LAND_TENANT,
  LAND_USED,
  MESSAGE_SLOTS,
  Q_ADDRESS,
  Q_DELTA,
  Q_DESC_ANSWER,
  Q_DEVICE_LANDED,
  Q_DOORBELL,
  Q_EVENT,
  Q_FETCH,
  Q_FOUND,
  Q_FRAME,
  Q_LANDED,
  Q_LZ,
  Q_MSIX,
  Q_OPEN,
  Q_OWN,
  Q_PENDING,
  Q_PLACE,
  Q_READ,
  Q_READ_ANSWER,
  Q_RECORD,
  Q_RELEASED,
  Q_SCAN,
  Q_SEAL,
  Q_STORAGE_ANSWER,
  Q_STORAGE_BELL,
  Q_STORAGE_LANDED,
  Q_TENANT_ANSWER,
  Q_TENANT_LANDED,
  Q_TO_HOST,
  Q_UNLZ,
  Q_USED,
  Q_VSOCK_ANSWER,
  Q_ZERO,
  READ_QUEUES_MAX,
  R_ATS,
  R_DATA,
  R_DESC,
  R_SCAN,
  R_STORAGE,
  R_TENANT,
  R_VSOCK,
  STARVED,
  STORAGE_DEPTH_MAX,
  ST_BYTES,
  ST_DEPTH,
  ST_TAGS,
  S_ATS_ENTRIES,
  S_ATS_REQUESTS,
  S_CORES,
  S_CORE_STAGES,
  S_DESC_PREFETCH,
  S_GCM_ENGINES,
  S_HOST_STAGES,
  S_HOST_WORKERS,
  S_LZ_BAIL,
  S_LZ_BANKS,
  S_LZ_ENGINES,
  S_LZ_ENCODER,
  S_LZ_FIFO,
  S_LZ_HASH_LOG,
  S_LZ_INTRA,
  S_LZ_MATCH_CAP,
  S_LZ_MULTI,
  S_LZ_OUT_BYTES,
  S_LZ_POLICY,
  S_LZ_PORTS,
  S_LZ_PWS,
  S_LZ_TOKENS,
  S_MEM_READ_DEN,
  S_MEM_READ_LATENCY,
  S_MEM_READ_NUM,
  S_MEM_WRITE_DEN,
  S_MEM_WRITE_NUM,
  S_PCIE_CPL_BYTES,
  S_PCIE_CPL_HEADERS,
  S_PCIE_FLIGHT,
  S_PCIE_TAGS,
  S_PCIE_TAGS_DESC,
  S_PCIE_TAGS_VSOCK,
  S_PCIE_TICKS_PER_BYTE,
  S_UNLZ_ENGINES,
  S_WRITE_QUEUES,
  S_ZERO_CYCLES,
  STAGE_COMPRESS,
  STAGE_CRYPT,
  STAGE_DECOMPRESS,
  STAGE_ZERO,
  S_TEN_KIND,
  S_TEN_COMPLETIONS,
  S_TEN_TAGS,
  S_TEN_TAG_RINGS,
  TAGS_MAX,
  TENANT_OFF,
  TENANT_OPS_MAX,
  TLP_QUEUE_DEPTH,
  UNITS,
  U_COMPRESS,
  U_CONTROL,
  U_DESC,
  U_DOWN,
  U_FRAMER,
  U_FRONTEND,
  U_FUNCTION,
  U_GUEST,
  U_MEMORY,
  U_NET_RX,
  U_NET_TX,
  U_OPEN,
  U_PLACE,
  U_READ,
  U_SCANNER,
  U_SEAL,
  U_STORAGE,
  U_TENANT,
  U_UNLZ,
  U_UP,
  U_VSOCK,
  U_ZERO,
  CREDITS_ENDLESS,
  PAGE_BYTES,
  S_IOMMU_SETS,
  S_PCIE_PD,
  S_PCIE_PH,
  S_SCAN_TAGS,
  S_SRAM_SLOTS,
  S_TEN_BYTES,
  S_TEN_DEPTH,
} from "./abi";
import { buildControl } from "./card/control";
import { buildDma } from "./card/dma";
import { buildFramer } from "./card/framer";
import { buildPlacer } from "./card/placer";
import { buildBitmapScanner } from "./card/bitmap-scanner";
import { buildScanner } from "./card/scanner";
import { memoReset } from "./card/sizing";
import { BELL } from "./card/storage";
import { buildZero } from "./card/zero";
import { buildVsock } from "./channel/vsock";
import { gcmSetKey } from "./codec/gcm";
import { setEncoder } from "./codec/encoder";
import { lz4hwConfigure } from "./codec/lz4hw";
import { buildFrontend } from "./host/frontend";
import { TRANSLATION_BYTES, buildAtc } from "./kernel/atc";
import { scans } from "./kernel/bitmap-scan";
import { READ_RECORDS, buildCompletions, completing } from "./kernel/completion";
import { deferring } from "./kernel/deferred";
import { NOBODY, buildFifo, queue } from "./kernel/fifo";
import { LAND_RELEASE } from "./kernel/device-ring";
import { deltas } from "./kernel/pages";
import { g, g32, p, p32 } from "./kernel/params";
import { DOWN_COMPLETION, DOWN_POSTED, UP_POSTED, UP_READ, UP_TRANSLATE, buildPort } from "./kernel/port";
import { buildProgress } from "./kernel/progress";
import { mix } from "./kernel/random";
import { setClock } from "./kernel/schedule";
import { residual } from "./kernel/residual";
import { hostStages } from "./kernel/ring";
import { buildRoot } from "./kernel/root";
import { buildServer } from "./kernel/server";
import { openAccount } from "./kernel/stats";
import { st, st32, stateRoom } from "./kernel/storage-params";
import { buildRequester, limitCompletions, takeInTurn } from "./kernel/tags";
import { NO_CLOCK } from "./kernel/time";
import { DOWN, UP, buildWays, setLanding } from "./kernel/way";

/** Doorbells of a storage adapter on their way: one a request, and one each of those by way of its PF. */
const BELLS_MAX = STORAGE_DEPTH_MAX * 2;

/** The functional encoder has one configuration for both cards: the source's. */
export function buildEncoder(): bool {
  memoReset();
  if (g32(G_COMPRESS) == 0) return true;
  setEncoder(p32(0, S_LZ_ENCODER), p32(0, S_LZ_BAIL));
  return lz4hwConfigure(
    p32(0, S_LZ_PWS),
    p32(0, S_LZ_HASH_LOG),
    p32(0, S_LZ_BANKS),
    p32(0, S_LZ_PORTS),
    p32(0, S_LZ_POLICY),
    p32(0, S_LZ_MATCH_CAP),
    p32(0, S_LZ_MULTI),
    p32(0, S_LZ_INTRA),
    p32(0, S_LZ_BAIL),
    p32(0, S_LZ_OUT_BYTES),
    p32(0, S_LZ_TOKENS),
    p32(0, S_LZ_FIFO),
  );
}

const KEY = memory.data(32, 16);

/** Test keys, one for each link and direction: a simulator has no secrets. */
/** Word i of the key of a data link and way (side x 2 + link). */
export function keyWord(context: u32, i: u32): u32 {
  return mix(context + 4 * g32(G_ATTEMPT), i);
}

export function buildKeys(): void {
  const bits = g32(G_ENCRYPT_BITS);
  if (bits == 0) return;
  for (let context: u32 = 0; context < 4; context++) {
    for (let i: u32 = 0; i < 8; i++) store<u32>(KEY + (i << 2), keyWord(context, i));
    gcmSetKey(context, KEY, bits);
  }
}

/** Who does a stage: the unit that is made for it, or the cores. */
function worker(side: u32, stage: u32, unit: u32): u32 {
  return (p32(side, S_CORE_STAGES) & stage) != 0 ? U_CONTROL : unit;
}

export function wireQueues(side: u32): void {
  buildFifo(side, Q_DOORBELL, 128, U_VSOCK);
  buildFifo(side, Q_VSOCK_ANSWER, 1024, U_VSOCK);
  buildFifo(side, Q_EVENT, 64, U_CONTROL);
  buildFifo(side, Q_ADDRESS, 32, U_CONTROL);
  buildFifo(side, Q_SCAN, scans && side == 0 ? 64 : 16, U_SCANNER);
  buildFifo(side, Q_FOUND, 256, U_CONTROL);
  buildFifo(side, Q_FETCH, p32(side, S_DESC_PREFETCH), U_DESC);
  buildFifo(side, Q_PENDING, 2048, NOBODY);
  buildFifo(side, Q_DESC_ANSWER, 1024, U_DESC);
  for (let q: u32 = 0; q < READ_QUEUES_MAX; q++) buildFifo(side, Q_READ + q, 64, U_READ);
  buildFifo(side, Q_READ_ANSWER, 1024, U_READ);
  buildFifo(side, Q_ZERO, 64, worker(side, STAGE_ZERO, U_ZERO));
  buildFifo(side, Q_LZ, 32, worker(side, STAGE_COMPRESS, U_COMPRESS));
  if (deltas && side == 0) buildFifo(side, Q_DELTA, 32, U_COMPRESS);
  buildFifo(side, Q_RECORD, 64, U_CONTROL);
  buildFifo(side, Q_OWN, 64, U_CONTROL);
  buildFifo(side, Q_SEAL, 32, worker(side, STAGE_CRYPT, U_SEAL));
  buildFifo(side, Q_FRAME, 32, U_FRAMER);
  buildFifo(side, Q_OPEN, 32, worker(side, STAGE_CRYPT, U_OPEN));
  buildFifo(side, Q_UNLZ, 32, worker(side, STAGE_DECOMPRESS, U_UNLZ));
  buildFifo(side, Q_PLACE, 32, U_PLACE);
  buildFifo(side, Q_LANDED, 4096, U_MEMORY);
  buildFifo(side, Q_MSIX, 64, U_FRONTEND);
  buildFifo(side, Q_USED, 128, U_MEMORY);
  buildFifo(side, Q_TO_HOST, MESSAGE_SLOTS, U_VSOCK);
  wireTenant(side);
  // what requests of the scanner do in memory
  if (scans && side == 0) buildFifo(0, Q_DEVICE_LANDED, 4096, U_MEMORY);
  // buffers of the host that are free again, and what became of their records
  if (hostStages != 0 && side == 1) buildFifo(1, Q_RELEASED, 256, U_PLACE);
  if (side != 0 || g32(G_DEVICES) == 0) return;
  buildFifo(0, Q_DEVICE_LANDED, 2048, U_MEMORY);
  buildFifo(0, Q_RELEASED, 128, U_FUNCTION);
}

/** Queues of the card's other I/O. */
export function wireTenant(side: u32): void {
  buildFifo(side, Q_STORAGE_ANSWER, TAGS_MAX, U_STORAGE);
  buildFifo(side, Q_STORAGE_LANDED, STORAGE_DEPTH_MAX * 2, U_STORAGE);
  buildFifo(side, Q_STORAGE_BELL, BELLS_MAX, U_STORAGE);
  buildFifo(side, Q_TENANT_ANSWER, TAGS_MAX, U_TENANT);
  buildFifo(side, Q_TENANT_LANDED, TENANT_OPS_MAX, U_TENANT);
}

/** Ports, requesters and the memory behind them; false when there is no room for what is on its way to it. */
export function wirePorts(side: u32): bool {
  if (!buildAtc(side)) return false;
  if (!buildCompletions(side)) return false;
  // the source writes nothing but completion records there
  const records = side == 0 && completing(side);
  buildPort(side, UP_POSTED + R_DATA, records ? READ_RECORDS : p32(side, S_WRITE_QUEUES), U_UP);
  buildPort(side, UP_POSTED + R_VSOCK, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_POSTED + R_DESC, 512, U_UP);
  buildPort(side, UP_POSTED + R_TENANT, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_READ + R_DATA, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_READ + R_VSOCK, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_READ + R_DESC, 512, U_UP);
  buildPort(side, UP_READ + R_TENANT, TLP_QUEUE_DEPTH, U_UP);
  buildPort(side, UP_TRANSLATE, 64, U_UP);
  const released: u32 = side == 0 ? (g32(G_DEVICES) != 0 ? 64 : 0) : hostStages != 0 ? 448 : 0;
  buildPort(side, DOWN_POSTED, released + (st32(ST_DEPTH) == 0 ? 64 : 2 * BELLS_MAX), U_DOWN);
  buildPort(side, DOWN_COMPLETION, TAGS_MAX, U_DOWN);
  // tags and completion buffer: VSOCK, descriptors and other I/O have their own, what is left is the data's;
  // on a probe's board all is the other I/O's
  const vsock = p32(side, S_PCIE_TAGS_VSOCK);
  const ats = p32(side, S_ATS_ENTRIES) == 0 ? 0 : p32(side, S_ATS_REQUESTS);
  const desc = p32(side, S_PCIE_TAGS_DESC);
  const other = p32(side, S_TEN_TAGS);
  const stored: u32 = st32(ST_DEPTH) == 0 ? 0 : st32(ST_TAGS);
  const scan: u32 = scans && side == 0 ? p32(0, S_SCAN_TAGS) : 0;
  const data = p32(side, S_PCIE_TAGS) - vsock - desc - other - ats - stored - scan;
  const share = p32(side, S_PCIE_CPL_BYTES) / 8;
  const headers = p32(side, S_PCIE_CPL_HEADERS) / 8;
  const eighths: u32 = other == 0 ? 0 : data == 0 ? 8 : 1;
  const adapters: u32 = stored == 0 ? 0 : 1;
  const scanned: u32 = scan == 0 ? 0 : 1;
  const rest: u32 = data == 0 ? 0 : 6 - eighths - adapters - scanned;
  const first = data + vsock + desc;
  const answers = queue(side, Q_TENANT_ANSWER);
  buildRequester(side, R_TENANT, first, other, eighths * share, eighths * headers, answers);
  if (p32(side, S_TEN_TAG_RINGS) != 0) takeInTurn(side, R_TENANT, p32(side, S_TEN_TAG_RINGS));
  limitCompletions(side, R_TENANT, p32(side, S_TEN_COMPLETIONS));
  buildRequester(side, R_DATA, 0, data, rest * share, rest * headers, queue(side, Q_READ_ANSWER));
  buildRequester(side, R_VSOCK, data, vsock, share, headers, queue(side, Q_VSOCK_ANSWER));
  buildRequester(side, R_DESC, data + vsock, desc, share, headers, queue(side, Q_DESC_ANSWER));
  const storage = adapters * share;
  const own = queue(side, Q_STORAGE_ANSWER);
  buildRequester(side, R_STORAGE, first + other + ats, stored, storage, adapters * headers, own);
  const marks = queue(side, Q_SCAN);
  buildRequester(side, R_SCAN, first + other + ats + stored, scan, scanned * share, scanned * headers, marks);
  // the ATC has place for every answer it asks for
  buildRequester(side, R_ATS, first + other, ats, ats * TRANSLATION_BYTES, ats, 0);
  setLanding(side, UP, LAND_PAGE, queue(side, Q_LANDED));
  setLanding(side, UP, LAND_MSIX, queue(side, Q_MSIX));
  setLanding(side, UP, LAND_USED, queue(side, Q_USED));
  setLanding(side, UP, LAND_TENANT, queue(side, Q_TENANT_LANDED));
  setLanding(side, UP, LAND_STORAGE, queue(side, Q_STORAGE_LANDED));
  setLanding(side, DOWN, 1, queue(side, Q_DOORBELL));
  setLanding(side, UP, LAND_DEVICE, queue(side, Q_DEVICE_LANDED));
  setLanding(side, DOWN, LAND_RELEASE, queue(side, Q_RELEASED));
  setLanding(side, DOWN, BELL, queue(side, Q_STORAGE_BELL));
  return buildMemory(side);
}

/**
 * Writes that may wait for their translation, each for another walk: as many as there are credits for, or
 * pages on the card and operations of other I/O. None without an IOMMU.
 */
function untranslated(side: u32): u64 {
  if (p32(side, S_IOMMU_SETS) == 0) return 0;
  const credits = min<u64>(p(side, S_PCIE_PH), p(side, S_PCIE_PD));
  if (credits < <u64>CREDITS_ENDLESS) return credits;
  const stored = st(ST_DEPTH) * (st(ST_BYTES) / PAGE_BYTES + 4) + stateRoom() / PAGE_BYTES + 2;
  const other = p32(side, S_TEN_KIND) == TENANT_OFF ? 0 : p(side, S_TEN_DEPTH);
  const records: u64 = completing(side) ? READ_RECORDS : 0;
  const devices: u64 = side == 0 ? g(G_DEVICES) * 3 * DEVICE_WRITES_MAX : 0;
  const most = records + devices + stored;
  return p(side, S_SRAM_SLOTS) + most + other * (p(side, S_TEN_BYTES) / PAGE_BYTES + 2);
}

/** The servers of host memory; a request takes 24 bytes of the wire at least, and is then a flight away. */
function buildMemory(side: u32): bool {
  const underWay = p(side, S_PCIE_FLIGHT) / (24 * p(side, S_PCIE_TICKS_PER_BYTE));
  const latency = p(side, S_MEM_READ_LATENCY);
  const reads = buildServer(
    side * 2,
    p(side, S_MEM_READ_NUM),
    p(side, S_MEM_READ_DEN),
    latency,
    A_MEMORY_READ,
    underWay,
  );
  const num = p(side, S_MEM_WRITE_NUM);
  const den = p(side, S_MEM_WRITE_DEN);
  const walks = p32(side, S_IOMMU_SETS) != 0;
  let words: u64 = residual != 0 && walks ? p(side, S_SRAM_SLOTS) : 0;
  // payload and descriptor of every buffer of the host
  if (hostStages != 0 && side == 1 && walks) words += 512;
  const writes = underWay + untranslated(side) + words;
  return reads && buildServer(side * 2 + 1, num, den, 0, A_MEMORY_WRITE, writes) && buildRoot(side);
}

export function buildUnits(side: u32): void {
  for (let u: u32 = 0; u < UNITS; u++) setClock(side, u, clocked(u) ? side * 2 : NO_CLOCK);
  setClock(side, U_CONTROL, side * 2 + 1);
  buildWays(side);
  buildScanner(side);
  if (side == 0) buildBitmapScanner();
  buildDma(side);
  buildZero(side);
  buildFramer(side);
  buildPlacer(side);
  buildControl(side);
  buildVsock(side);
  buildFrontend(side);
  buildProgress(side, U_CONTROL);
  if (p32(side, S_TEN_KIND) != TENANT_OFF) openAccount(side, A_TENANT, STARVED);
  if (st(ST_DEPTH) != 0) openAccount(side, A_STORAGE, STARVED);
  if (side == 0 || residual != 0) openAccount(side, A_GUEST, STARVED);
  if (side == 0 && g32(G_DEVICES) != 0) openAccount(side, A_FUNCTION, STARVED);
  openAccount(side, A_FRONTEND, STARVED);
  openAccount(side, A_VSOCK, STARVED);
  openAccount(side, A_MEMORY_READ, STARVED);
  openAccount(side, A_MEMORY_WRITE, STARVED);
  openAccount(side, A_UP, STARVED);
  openAccount(side, A_DOWN, STARVED);
  openAccount(side, A_NET, STARVED);
  openAccount(side, A_FRAMER, STARVED);
  openAccount(side, A_RECEIVE, STARVED);
  if (side == 0) {
    openAccount(side, A_SCANNER, STARVED);
    openAccount(side, A_DESC, STARVED);
    openAccount(side, A_READ, STARVED);
    if (p32(side, S_ZERO_CYCLES) != 0) openAccount(side, A_ZERO, STARVED);
    if (deltas) openAccount(side, A_DELTA, STARVED);
  } else {
    openAccount(side, A_PLACE, STARVED);
    if (deferring) openAccount(side, A_DESC, STARVED);
    if (deferring) openAccount(side, A_READ, STARVED);
  }
  const workers = p32(side, S_HOST_STAGES) != 0 ? p32(side, S_HOST_WORKERS) : 0;
  for (let i: u32 = 0; i < workers; i++) openAccount(side, A_WORKER + i, STARVED);
  for (let i: u32 = 0; i < p32(side, S_CORES); i++) openAccount(side, A_CORE + i, STARVED);
  for (let i: u32 = 0; i < p32(side, S_GCM_ENGINES); i++) {
    openAccount(side, A_SEAL + i, STARVED);
    openAccount(side, A_OPEN + i, STARVED);
  }
  if (side == 0) for (let i: u32 = 0; i < p32(side, S_LZ_ENGINES); i++) openAccount(side, A_LZ + i, STARVED);
  else for (let i: u32 = 0; i < p32(side, S_UNLZ_ENGINES); i++) openAccount(side, A_UNLZ + i, STARVED);
}

/** True for units that act at edges of the card clock. */
function clocked(u: u32): bool {
  return (
    u != U_NET_RX &&
    u != U_NET_TX &&
    u != U_UP &&
    u != U_DOWN &&
    u != U_MEMORY &&
    u != U_FRONTEND &&
    u != U_TENANT &&
    u != U_FUNCTION &&
    u != U_STORAGE &&
    u != U_GUEST
  );
}
