// SPDX-License-Identifier: Apache-2.0
// QEMU's multifd: pages go to channels in packets, each channel a thread and a connection of its own.
//
// Models: multifd_queue_page(), multifd_send() and the channels' threads. The migration thread queues pages,
//   128 a packet, and gives a full one to an idle channel, round about; it waits when there is none. The
//   channel finds zero pages, compresses the others and writes a header of 320 + 8 x 128 bytes and what is
//   left. Bytes count towards max-bandwidth when they are written: when the window is found spent, as many
//   packets as there are channels are still under way, and come on top. So with equal packets of b bytes
//   and channels that keep up a window carries (ceil(limit / b) + channels) x b at most, limit rounded up to
//   whole packets at least. When the scan comes to the end of the blocks, and at the end, what is queued is
//   given away, a header alone goes over each channel, and the thread waits for them all.
// In and out: a page's size is the one of its content word, 4096 where nothing compresses.
// How long: `queue` a page for the thread, `normal` and `zero` for its channel; the connection takes packets
//   in the order in which they were given to channels.
// Leaves out: TLS, zero-copy send, several links, the destination's channels.
// Numbers: QEMU 10.0 migration/multifd.h (MULTIFD_PACKET_SIZE, MultiFDPacket_t), multifd-nocomp.c.
import {
  QP_CHANNELS_MAX,
  QP_CHANNELS,
  QP_CHANNEL_NORMAL,
  QP_CHANNEL_ZERO,
  QP_ROM_BYTES,
  QR_CHANNEL_WORKED,
  QR_MULTIFD_BYTES,
  QR_NORMAL,
  QR_ZERO,
  WORD_SIZE_MASK,
} from "../abi";
import { isZero, place, sizeWord } from "./qemu-content";
import { q, sendOut, tell, tellMore, wireIsFree } from "./qemu-stream";

const PACKET_PAGES: u32 = 128; // 512 KiB
const PACKET_HEADER: u64 = 320 + 8 * 128;
const HELLO: u64 = 64; // of a channel that begins

//  channel, 32 bytes: | idle from u64 | bytes that count from then on u64 |
//    what it wrote last: | when the connection was free before it u64 | when it was written u64 |
const CHANNELS = memory.data(2048, 16);
const QUEUE = memory.data(512, 16);
if (QP_CHANNELS_MAX * 32 != 2048 || PACKET_PAGES * 4 != 512) ERROR("channels");

let channels: u32 = 0;
let next: u32 = 0;
let queued: u32 = 0;
let drains: bool = false;
let drained: u64 = 0;
/** Bytes that the channels have written. */
export let written: u64 = 0;

export function buildChannels(): void {
  channels = <u32>q(QP_CHANNELS);
  memory.fill(CHANNELS, 0, 2048);
  next = queued = 0;
  drains = false;
  drained = 0;
  written = 0;
}

/** Whether pages go over channels. */
// @ts-ignore: decorator
@inline
export function overChannels(): bool {
  return channels != 0;
}

// @ts-ignore: decorator
@inline
function idleFrom(c: u32): u64 {
  return load<u64>(CHANNELS + ((<usize>c) << 5));
}

/** Counts what has been written by t. */
export function settle(t: u64): void {
  for (let c: u32 = 0; c < channels; c++) {
    const at = CHANNELS + ((<usize>c) << 5);
    if (load<u64>(at) > t || load<u64>(at, 8) == 0) continue;
    written += load<u64>(at, 8);
    store<u64>(at, 0, 8);
  }
  tell(QR_MULTIFD_BYTES, written);
}

/** The channels say who they are. */
export function greet(t: u64): void {
  for (let c: u32 = 0; c < channels; c++) sendOut(t, HELLO);
  written += channels * HELLO;
}

/** Queues a page. */
export function queuePage(index: u32): void {
  store<u32>(QUEUE + ((<usize>queued) << 2), index);
  queued++;
}

/** The thread goes on when all that is queued has been written, and a header more by each channel. */
export function drain(): void {
  drains = channels != 0;
}

/** When the thread may go on, not before t: it gives packets away while it waits. */
export function channelsHold(t: u64): u64 {
  if (queued == PACKET_PAGES || (drains && queued != 0)) {
    let at = idleFrom(0);
    for (let c: u32 = 1; c < channels; c++) at = min(at, idleFrom(c));
    if (at > t) return at;
    while (idleFrom(next) > t) next = next + 1 == channels ? 0 : next + 1;
    settle(t);
    send(next, t);
    next = next + 1 == channels ? 0 : next + 1;
  }
  if (drains) {
    drains = false;
    drained = t;
    for (let c: u32 = 0; c < channels; c++) {
      const at = max(t, idleFrom(c));
      settle(at);
      begin(c, at, PACKET_HEADER);
      drained = max(drained, idleFrom(c));
    }
  }
  return max(t, drained);
}

/** A channel sends the packet. */
function send(c: u32, t: u64): void {
  let size = PACKET_HEADER;
  let zeros: u64 = 0;
  for (let i: u32 = 0; i < queued; i++) {
    const index = load<u32>(QUEUE + ((<usize>i) << 2));
    place(index);
    if (isZero(index)) zeros++;
    else size += sizeOf(index);
  }
  const normal = queued - zeros;
  queued = 0;
  tellMore(QR_ZERO, zeros);
  tellMore(QR_NORMAL, normal);
  const ticks = normal * q(QP_CHANNEL_NORMAL) + zeros * q(QP_CHANNEL_ZERO);
  tellMore(QR_CHANNEL_WORKED, ticks);
  begin(c, t + ticks, size);
}

// @ts-ignore: decorator
@inline
function sizeOf(index: u32): u64 {
  const word = sizeWord(index);
  return word == 0 ? q(QP_ROM_BYTES) : word & WORD_SIZE_MASK;
}

function begin(c: u32, t: u64, size: u64): void {
  const at = CHANNELS + ((<usize>c) << 5);
  store<u64>(at, wireIsFree(), 16);
  store<u64>(at, t, 24);
  store<u64>(at, sendOut(t, size));
  store<u64>(at, size, 8);
}

/** How long after t the connection is to wait for channels that are at work. */
export function idleBehind(t: u64): u64 {
  let idle: u64 = 0;
  for (let c: u32 = 0; c < channels; c++) {
    const at = CHANNELS + ((<usize>c) << 5);
    const gap = max(t, load<u64>(at, 16));
    if (load<u64>(at, 24) > gap) idle += load<u64>(at, 24) - gap;
  }
  return idle;
}
