// SPDX-License-Identifier: Apache-2.0
// Other I/O of the card: operations that read or write server memory over the same PCIe link, as a tenant's
// devices do, or a benchmark.
//
// Models: `depth` workers with an operation each, in a closed loop or no faster than one in `gap`; a DMA
//   engine that takes operations in turn and cuts reads at MRRS and at 4 KiB; tags of its own.
// In and out: requests to the ports of requester TENANT; answers from Q_TENANT_ANSWER, landed writes from
//   Q_TENANT_LANDED.
// How long: an operation is given to the engine when its worker's last one has ended; `start` later it is
//   taken, one after another, requests `issue` apart, writing operations `floor` apart. A read's request is on
//   the port `tag` after it has its tag. A read ends bytes x `copy` after its last answer, a write when its
//   last byte has landed.
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
  S_PCIE_MRRS,
  S_PCIE_RCB,
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
import { UP_POSTED, UP_READ, bufferFits, finishRead, issueRead, portFull, put, tagsFree } from "../kernel/port";
import { mix } from "../kernel/random";
import { wake } from "../kernel/schedule";
import { count, enter, sample } from "../kernel/stats";
import { spanTicks } from "../kernel/time";

const NONE: u32 = 0xffffffff;
/** Room for operations, waiting or under way: a power of two, so that a ring of them wraps by a mask. */
const OPS: u32 = TENANT_OPS_MAX;

//  operation, 16 bytes: | given u64 | left u32 | writes u32 |; waiting operation, 8 bytes: | ready u64 |

@unmanaged
class Tenant {
  opFree: u64; // when the next operation may be taken
  writeFree: u64; // when the next writing operation may be taken
  nextIssue: u64;
  address: u64; // of the operation being cut
  doneAt: u64; // when the last one ended
  markAt: u64; // when operation number `mark` ended
  waiting: usize;
  operations: usize;
  free: usize;
  latencies: usize;
  kind: u32;
  bytes: u32;
  head: u32; // of the ring of waiting operations
  tail: u32;
  freeCount: u32;
  current: u32; // operation being cut, NONE when none
  cut: u32; // bytes of it already requested
  taken: u32;
  done: u32;
  mark: u32;
  mrrs: u32;
  rcb: u32;
}

const TENANTS = memory.data(384, 16); // 2 sides

if (offsetof<Tenant>() > 192) ERROR("tenant record");

// @ts-ignore: decorator
@inline
function tenant(side: u32): Tenant {
  return changetype<Tenant>(TENANTS + side * 192);
}

/** Builds the I/O of a side, none when it is off; false when memory does not hold it. */
export function buildTenant(side: u32): bool {
  const n = tenant(side);
  memory.fill(changetype<usize>(n), 0, 192);
  n.kind = p32(side, S_TEN_KIND);
  if (n.kind == TENANT_OFF) return true;
  n.bytes = p32(side, S_TEN_BYTES);
  n.mrrs = p32(side, S_PCIE_MRRS);
  n.rcb = p32(side, S_PCIE_RCB);
  n.current = NONE;
  n.waiting = reserve((<u64>OPS) << 3);
  n.operations = reserve((<u64>OPS) << 4);
  n.free = reserve((<u64>OPS) << 2);
  n.latencies = reserve((<u64>LATENCIES_MAX) << 3);
  if (n.latencies == 0) return false;
  const depth = p32(side, S_TEN_DEPTH);
  assert(depth <= OPS, "too many operations of a tenant");
  for (let i: u32 = 0; i < depth; i++) {
    store<u32>(n.free + (i << 2), depth - 1 - i);
    give(n, 0);
  }
  n.freeCount = depth;
  return true;
}

/** Lets the I/O of a side begin. */
export function startTenant(side: u32): void {
  if (tenant(side).kind != TENANT_OFF) wake(side, U_TENANT, p(side, S_TEN_START));
}

/** A worker has its next operation from t on. */
function give(n: Tenant, t: u64): void {
  store<u64>(n.waiting + ((<usize>(n.tail++ & (OPS - 1))) << 3), t);
}

// @ts-ignore: decorator
@inline
function operation(n: Tenant, index: u32): usize {
  return n.operations + ((<usize>index) << 4);
}

export function stepTenant(side: u32, t: u64): void {
  const n = tenant(side);
  if (n.kind == TENANT_OFF) return;
  while (ready(queue(side, Q_TENANT_ANSWER), t)) {
    const at = operation(n, finishRead(side, R_TENANT, pop(queue(side, Q_TENANT_ANSWER))));
    const left = load<u32>(at, 8) - 1;
    store<u32>(at, left, 8);
    if (left == 0) ended(side, n, at, t + spanTicks(n.bytes, p(side, S_TEN_COPY_NUM), p(side, S_TEN_COPY_DEN)));
  }
  while (ready(queue(side, Q_TENANT_LANDED), t)) {
    ended(side, n, operation(n, pop(queue(side, Q_TENANT_LANDED))), t);
  }
  let cause = BUSY;
  while (cause == BUSY) {
    if (n.current == NONE) cause = takeNext(side, n, t);
    if (cause == BUSY) cause = request(side, n, t);
  }
  enter(side, A_TENANT, cause == NONE ? BUSY : cause, t);
}

/** An operation is over at `t`, which may lie ahead: its worker goes on from then. */
function ended(side: u32, n: Tenant, at: usize, t: u64): void {
  const latency = t - load<u64>(at);
  store<u64>(n.latencies + ((<usize>(n.done & (LATENCIES_MAX - 1))) << 3), latency);
  store<u32>(n.free + (n.freeCount++ << 2), <u32>((at - n.operations) >> 4));
  sample(side, H_TENANT, latency);
  count(side, C_TENANT_OPS, 1);
  count(side, C_TENANT_BYTES, n.bytes);
  n.done++;
  n.doneAt = t;
  if (n.done == n.mark) n.markAt = t;
  give(n, t);
}

/** Takes the next operation at t; BUSY when one is being cut, NONE when time alone will bring it. */
function takeNext(side: u32, n: Tenant, t: u64): u32 {
  if (n.head == n.tail) return STARVED;
  const given = load<u64>(n.waiting + ((<usize>(n.head & (OPS - 1))) << 3));
  const both = n.kind == TENANT_BOTH;
  const writes = both ? (n.taken & 1) != 0 : n.kind == TENANT_WRITE;
  let from = given + p(side, S_TEN_START);
  if (n.opFree > from) from = n.opFree;
  if (writes && n.writeFree > from) from = n.writeFree;
  if (from > t) {
    wake(side, U_TENANT, from);
    return NONE;
  }
  n.head++;
  const index = load<u32>(n.free + (--n.freeCount << 2));
  const at = operation(n, index);
  store<u64>(at, given);
  store<u32>(at, 0, 8);
  store<u32>(at, writes ? 1 : 0, 12);
  const places = p32(side, S_TEN_PLACES);
  const seed = p32(side, S_MEM_SEED);
  const place = p32(side, S_TEN_RANDOM) != 0 ? spread(mix(seed, n.taken), places) : n.taken % places;
  n.address = TENANT_AT + <u64>place * p(side, S_TEN_STRIDE);
  n.taken++;
  n.current = index;
  n.cut = 0;
  n.opFree = t + p(side, S_TEN_GAP);
  if (writes) n.writeFree = t + p(side, S_TEN_FLOOR);
  return BUSY;
}

/** A number below n, evenly from 32 random bits. */
// @ts-ignore: decorator
@inline
function spread(random: u32, n: u32): u32 {
  return <u32>((<u64>random * n) >> 32);
}

/** One request of the operation at hand; BUSY when it was made, NONE when time alone will let it, else why not. */
function request(side: u32, n: Tenant, t: u64): u32 {
  if (t < n.nextIssue) {
    wake(side, U_TENANT, n.nextIssue);
    return NONE;
  }
  const at = operation(n, n.current);
  const address = n.address + n.cut;
  const toPage: u32 = 4096 - (<u32>address & 4095);
  let bytes = n.bytes - n.cut;
  if (bytes > toPage) bytes = toPage;
  if (load<u32>(at, 12) != 0) {
    if (portFull(side, UP_POSTED + R_TENANT)) return W_PCIE;
    const last = n.cut + bytes == n.bytes;
    put(side, UP_POSTED + R_TENANT, address, bytes, n.current, last ? LAND_TENANT : 0, t);
  } else {
    if (bytes > n.mrrs) bytes = n.mrrs;
    const headers = ((<u32>address & (n.rcb - 1)) + bytes + n.rcb - 1) / n.rcb;
    if (tagsFree(side, R_TENANT) == 0) return W_TAGS;
    if (!bufferFits(side, R_TENANT, bytes, headers)) return W_COMPLETION_BUFFER;
    if (portFull(side, UP_READ + R_TENANT)) return W_PCIE;
    store<u32>(at, load<u32>(at, 8) + 1, 8);
    issueRead(side, R_TENANT, address, bytes, headers, n.current, t + p(side, S_TEN_TAG));
    n.nextIssue = t + p(side, S_TEN_ISSUE);
  }
  n.cut += bytes;
  if (n.cut == n.bytes) n.current = NONE;
  return BUSY;
}

/** Operations that have ended. */
export function tenantDone(side: u32): u32 {
  return tenant(side).done;
}

/** Notes when operation number `mark` ends. */
export function setTenantMark(side: u32, mark: u32): void {
  tenant(side).mark = mark;
}

/** When the last operation ended. */
export function tenantDoneAt(side: u32): u64 {
  return tenant(side).doneAt;
}

/** When the marked operation ended. */
export function tenantMarkAt(side: u32): u64 {
  return tenant(side).markAt;
}

/** Latencies of the operations, u64 ticks each, the last LATENCIES_MAX of them. */
export function tenantLatencies(side: u32): usize {
  return tenant(side).latencies;
}
