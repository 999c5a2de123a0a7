// SPDX-License-Identifier: Apache-2.0
// Other I/O of the card: operations that read or write server memory over the same PCIe link, as a tenant's
// devices do, or a benchmark.
//
// Models: `depth` workers with an operation each, in a closed loop or no faster than one in `gap`; a DMA
//   engine for reads and one for writes, each of which takes its operations in turn and cuts them at MRRS
//   (reads), at multiples of MPS (writes) and at 4 KiB; tags of its own. Of mixed operations half of the
//   workers write, and neither kind is taken before its turn. AtomicOps of 4 or 8 bytes are as reads are.
// In and out: requests to the ports of requester TENANT; answers from Q_TENANT_ANSWER, landed writes from
//   Q_TENANT_LANDED.
// How long: an operation is given to the engine when its worker's last one has ended; `start` later it is
//   taken, one after another, requests `issue` apart, writing operations `floor` apart. A write is handed
//   over in bursts: the next is made when the last, and read requests that were made since the one before,
//   have been on the wire and `burstGap` has passed. A read's
//   request is on the port `tag` and a byte of the wire after it has its tag, a write a byte after it was
//   made. A read ends bytes x `copy` after its last answer, when all of it has been requested; a write when
//   its last byte has landed.
// Leaves out: descriptors, doorbells and completion records of these operations; they are of a device whose
//   driver runs elsewhere.
// Numbers: card preset `engine.*`; the shape of the benchmark is that of pcie-bench (Neugebauer et al.,
//   SIGCOMM 2018).
import {
  A_TENANT,
  BUSY,
  C_TENANT_BYTES,
  C_TENANT_OPS,
  H_TENANT,
  LAND_TENANT,
  LATENCIES_MAX,
  Q_TENANT_ANSWER,
  Q_TENANT_LANDED,
  R_TENANT,
  STARVED,
  S_MEM_SEED,
  S_PCIE_MPS,
  S_PCIE_MRRS,
  S_PCIE_RCB,
  S_PCIE_REQUEST_BYTES,
  S_PCIE_TICKS_PER_BYTE,
  S_TEN_ATOMIC,
  S_TEN_BURST,
  S_TEN_BURST_GAP,
  S_TEN_BYTES,
  S_TEN_COPY_DEN,
  S_TEN_COPY_NUM,
  S_TEN_DEPTH,
  S_TEN_FLOOR,
  S_TEN_GAP,
  S_TEN_ISSUE,
  S_TEN_KIND,
  S_TEN_PLACES,
  S_TEN_RANDOM,
  S_TEN_START,
  S_TEN_STRIDE,
  S_TEN_TAG,
  TENANT_BOTH,
  TENANT_OFF,
  TENANT_OPS_MAX,
  TENANT_WRITE,
  U_TENANT,
  W_COMPLETION_BUFFER,
  W_PCIE,
  W_TAGS,
} from "../abi";
import { TENANT_AT } from "../kernel/address";
import { pop, queue, ready } from "../kernel/fifo";
import { reserve } from "../kernel/memory";
import { p, p32 } from "../kernel/params";
import { UP_POSTED, UP_READ, issueAtomic, issueRead, portFull, put } from "../kernel/port";
import { mix } from "../kernel/random";
import { wake } from "../kernel/schedule";
import { count, enter, sample } from "../kernel/stats";
import { bufferFits, completionsFit, finishRead, tagsFree } from "../kernel/tags";
import { spanTicks } from "../kernel/time";

const NONE: u32 = 0xffffffff;
/** Room for operations, waiting or under way: a power of two, so that a ring of them wraps by a mask. */
const OPS: u32 = TENANT_OPS_MAX;

//  operation, 16 bytes: | given u64 | left u32 | kind u32 |; waiting operation: | ready u64 |

@unmanaged
class Channel {
  opFree: u64; // when the next operation may be taken
  issueFree: u64; // when the next request may be made
  address: u64; // of the operation being cut
  waiting: usize; // ring of the times from which operations may be taken
  head: u32;
  tail: u32;
  current: u32; // operation being cut, NONE when none
  cut: u32; // bytes of it already requested
  burst: u32; // bytes of the burst at hand, and those on the wire
  burstWire: u32;
  done: u32;
  taken: u32;
}


@unmanaged
class Tenant {
  gapFree: u64; // when an operation of any kind may be taken
  doneAt: u64; // when the last one ended
  operations: usize;
  free: usize;
  latencies: usize;
  kind: u32;
  bytes: u32;
  freeCount: u32;
  taken: u32;
  mrrs: u32;
  rcb: u32;
  stopped: u32;
  operands: u32; // of an AtomicOp that is in a read's place; 0: reads are reads
}

const TENANTS = memory.data(256, 16); // 2 sides * 128
const CHANNELS = memory.data(256, 16); // 2 sides * 2 kinds * 64
const READS: u32 = 0;
const WRITES: u32 = 1;

if (offsetof<Tenant>() > 128 || offsetof<Channel>() > 64) ERROR("tenant record");

// @ts-ignore: decorator
@inline
function tenant(side: u32): Tenant {
  return changetype<Tenant>(TENANTS + (side << 7));
}

// @ts-ignore: decorator
@inline
function channel(side: u32, kind: u32): Channel {
  return changetype<Channel>(CHANNELS + ((side * 2 + kind) << 6));
}

// @ts-ignore: decorator
@inline
function operation(n: Tenant, index: u32): usize {
  return n.operations + ((<usize>index) << 4);
}

/** Builds the I/O of a side, none when it is off; false when memory does not hold it. */
export function buildTenant(side: u32): bool {
  const n = tenant(side);
  memory.fill(changetype<usize>(n), 0, 128);
  n.kind = p32(side, S_TEN_KIND);
  if (n.kind == TENANT_OFF) return true;
  n.bytes = p32(side, S_TEN_BYTES);
  n.mrrs = p32(side, S_PCIE_MRRS);
  n.rcb = p32(side, S_PCIE_RCB);
  n.operands = p32(side, S_TEN_ATOMIC);
  n.operations = reserve((<u64>OPS) << 4);
  n.free = reserve((<u64>OPS) << 2);
  n.latencies = reserve((<u64>LATENCIES_MAX) << 3);
  for (let kind: u32 = 0; kind < 2; kind++) {
    const c = channel(side, kind);
    memory.fill(changetype<usize>(c), 0, 64);
    c.current = NONE;
    c.waiting = reserve((<u64>OPS) << 3);
    if (c.waiting == 0) return false;
  }
  if (n.latencies == 0) return false;
  const depth = p32(side, S_TEN_DEPTH);
  assert(depth <= OPS, "too many operations of a tenant");
  for (let i: u32 = 0; i < depth; i++) {
    store<u32>(n.free + (i << 2), depth - 1 - i);
    give(side, n.kind == TENANT_WRITE || (n.kind == TENANT_BOTH && (i & 1) != 0) ? WRITES : READS, 0);
  }
  n.freeCount = depth;
  return true;
}

/** Lets the I/O of a side begin: its operations are given at 0, and the first is in the engine from then. */
export function startTenant(side: u32): void {
  if (tenant(side).kind != TENANT_OFF) wake(side, U_TENANT, 0);
}

/** No operation is taken any more: those under way end. */
export function stopTenant(side: u32): void {
  tenant(side).stopped = 1;
}

/** A worker has its next operation from t on. */
function give(side: u32, kind: u32, t: u64): void {
  const c = channel(side, kind);
  store<u64>(c.waiting + ((<usize>(c.tail++ & (OPS - 1))) << 3), t);
}

export function stepTenant(side: u32, t: u64): void {
  const n = tenant(side);
  if (n.kind == TENANT_OFF) return;
  while (ready(queue(side, Q_TENANT_ANSWER), t)) {
    const index = finishRead(side, R_TENANT, pop(queue(side, Q_TENANT_ANSWER)));
    const at = operation(n, index);
    const left = load<u32>(at, 8) - 1;
    store<u32>(at, left, 8);
    const copy = spanTicks(n.bytes, p(side, S_TEN_COPY_NUM), p(side, S_TEN_COPY_DEN));
    // all that has been requested may be there before the next request has a tag
    if (left == 0 && index != channel(side, READS).current) ended(side, n, at, t + copy);
  }
  while (ready(queue(side, Q_TENANT_LANDED), t)) {
    ended(side, n, operation(n, pop(queue(side, Q_TENANT_LANDED))), t);
  }
  let reads: u32 = STARVED;
  let writes: u32 = STARVED;
  // each may let the other go on
  for (let taken = n.taken - 1; taken != n.taken;) {
    taken = n.taken;
    reads = advance(side, n, READS, t);
    writes = advance(side, n, WRITES, t);
  }
  enter(side, A_TENANT, reads == STARVED ? writes : reads, t);
}

/** An operation is over at `t`, which may lie ahead: its worker goes on from then. */
function ended(side: u32, n: Tenant, at: usize, t: u64): void {
  const latency = t - load<u64>(at);
  const done = tenantDone(side);
  store<u64>(n.latencies + ((<usize>(done & (LATENCIES_MAX - 1))) << 3), latency);
  store<u32>(n.free + (n.freeCount++ << 2), <u32>((at - n.operations) >> 4));
  sample(side, H_TENANT, latency);
  count(side, C_TENANT_OPS, 1);
  count(side, C_TENANT_BYTES, n.bytes);
  const kind = load<u32>(at, 12);
  channel(side, kind).done++;
  n.doneAt = t;
  give(side, kind, t);
}

/** Takes operations and makes requests as long as nothing is in the way; returns what is. */
function advance(side: u32, n: Tenant, kind: u32, t: u64): u32 {
  const c = channel(side, kind);
  let cause = BUSY;
  while (cause == BUSY) {
    if (c.current == NONE) cause = takeNext(side, n, c, kind, t);
    if (cause == BUSY) cause = request(side, n, c, kind, t);
  }
  return cause == NONE ? BUSY : cause;
}

/** Takes the next operation at t: BUSY when there is one, NONE when time alone will bring it. */
function takeNext(side: u32, n: Tenant, c: Channel, kind: u32, t: u64): u32 {
  if (c.head == c.tail || n.stopped != 0) return STARVED;
  // mixed operations are taken in pairs
  if (n.kind == TENANT_BOTH && c.taken > channel(side, 1 - kind).taken) return STARVED;
  const given = load<u64>(c.waiting + ((<usize>(c.head & (OPS - 1))) << 3));
  let from = given + p(side, S_TEN_START);
  if (n.gapFree > from) from = n.gapFree;
  if (c.opFree > from) from = c.opFree;
  if (from > t) {
    wake(side, U_TENANT, from);
    return NONE;
  }
  c.head++;
  c.current = load<u32>(n.free + (--n.freeCount << 2));
  c.cut = 0;
  const at = operation(n, c.current);
  store<u64>(at, given);
  store<u32>(at, 0, 8);
  store<u32>(at, kind, 12);
  const places = p32(side, S_TEN_PLACES);
  const random = p32(side, S_TEN_RANDOM) != 0;
  const place = random ? spread(mix(p32(side, S_MEM_SEED), n.taken), places) : n.taken % places;
  c.address = TENANT_AT + <u64>place * p(side, S_TEN_STRIDE);
  n.taken++;
  c.taken++;
  n.gapFree = t + p(side, S_TEN_GAP);
  if (kind == WRITES) c.opFree = t + p(side, S_TEN_FLOOR);
  return BUSY;
}

/** A number below n, evenly from 32 random bits. */
// @ts-ignore: decorator
@inline
function spread(random: u32, n: u32): u32 {
  return <u32>((<u64>random * n) >> 32);
}

/** One request of the operation at hand: BUSY when it was made, NONE when time will let it, else why not. */
function request(side: u32, n: Tenant, c: Channel, kind: u32, t: u64): u32 {
  if (t < c.issueFree) {
    wake(side, U_TENANT, c.issueFree);
    return NONE;
  }
  const address = c.address + c.cut;
  const toPage: u32 = 4096 - ((<u32>address) & 4095);
  let bytes = n.bytes - c.cut;
  if (bytes > toPage) bytes = toPage;
  // nothing passes through two units in no time
  const byte = p(side, S_PCIE_TICKS_PER_BYTE);
  if (kind == WRITES) {
    const mps = p32(side, S_PCIE_MPS);
    const toPacket: u32 = mps - ((<u32>address) & (mps - 1));
    if (bytes > toPacket) bytes = toPacket;
    if (portFull(side, UP_POSTED + R_TENANT)) return W_PCIE;
    const last = c.cut + bytes == n.bytes;
    put(side, UP_POSTED + R_TENANT, address, bytes, c.current, last ? LAND_TENANT : 0, t + byte);
  } else {
    if (bytes > n.mrrs) bytes = n.mrrs;
    const headers = (((<u32>address) & (n.rcb - 1)) + bytes + n.rcb - 1) / n.rcb;
    if (tagsFree(side, R_TENANT) == 0) return W_TAGS;
    if (!bufferFits(side, R_TENANT, bytes, headers)) return W_COMPLETION_BUFFER;
    if (!completionsFit(side, R_TENANT, address, bytes)) return W_COMPLETION_BUFFER;
    if (portFull(side, UP_READ + R_TENANT)) return W_PCIE;
    const at = operation(n, c.current);
    store<u32>(at, load<u32>(at, 8) + 1, 8);
    const ready = t + p(side, S_TEN_TAG) + byte;
    if (n.operands == 0) issueRead(side, R_TENANT, address, bytes, headers, c.current, ready);
    else issueAtomic(side, R_TENANT, address, bytes, n.operands, c.current, ready);
    // the wire that bursts of writes wait for
    channel(side, WRITES).burstWire += p32(side, S_PCIE_REQUEST_BYTES);
  }
  c.issueFree = t + p(side, S_TEN_ISSUE);
  c.cut += bytes;
  if (kind == WRITES) endBurst(side, n, c, bytes, t);
  if (c.cut == n.bytes) c.current = NONE;
  return BUSY;
}

/** The engine makes the next burst when this one is on the wire, and a gap later. */
function endBurst(side: u32, n: Tenant, c: Channel, bytes: u32, t: u64): void {
  c.burst += bytes;
  c.burstWire += p32(side, S_PCIE_REQUEST_BYTES) + ((bytes + 3) & ~3);
  const gap = p(side, S_TEN_BURST_GAP);
  if (gap == 0 || (c.burst < p32(side, S_TEN_BURST) && c.cut != n.bytes)) return;
  const free = t + c.burstWire * p(side, S_PCIE_TICKS_PER_BYTE) + gap;
  if (free > c.issueFree) c.issueFree = free;
  c.burst = 0;
  c.burstWire = 0;
}

/** Operations that have ended. */
export function tenantDone(side: u32): u32 {
  return channel(side, READS).done + channel(side, WRITES).done;
}

/** Writing operations that have ended. */
export function tenantWrites(side: u32): u32 {
  return channel(side, WRITES).done;
}

/** When the last operation ended. */
export function tenantDoneAt(side: u32): u64 {
  return tenant(side).doneAt;
}

/** Latencies of the operations, u64 ticks each, the last LATENCIES_MAX of them. */
export function tenantLatencies(side: u32): usize {
  return tenant(side).latencies;
}
