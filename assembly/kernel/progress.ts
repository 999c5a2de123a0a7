// SPDX-License-Identifier: Apache-2.0
// How far a card is: what its firmware counts. Written by the engines that finish work, read by the firmware.
//
//   progress of a side, 96 bytes, see the class
import { JOB_DEVICE, JOB_ZERO } from "./jobs";
import { wake } from "./schedule";


@unmanaged
export class Progress {
  placed: u64; // pages placed, zero pages among them
  placedZero: u64;
  device: u64; // bytes of device state gathered
  deviceSent: u64; // of them, handed to the front-end
  roundPages: u64; // pages of the round under way (source: announced; destination: as its round end says)
  roundBase: u64; // pages placed before this round
  roundZero: u64; // zero pages found before this round (source)
  roundWire: u64; // wire bytes sent when this round began (source)
  round: u32;
  told: u64; // pages of the last round that the front-end knows to be missing
  // 1 a round end is here, 2 it is being answered, 4 it was the last, 8 the guest was told to resume
  flags: u32;
  watcher: u32; // unit woken by progress
  pad: u32;
}

const PROGRESS = memory.data(256, 16);
if (offsetof<Progress>() > 128) ERROR("progress");

// @ts-ignore: decorator
@inline
export function progress(side: u32): Progress {
  return changetype<Progress>(PROGRESS + (side << 7));
}

export function buildProgress(side: u32, watcher: u32): void {
  memory.fill(changetype<usize>(progress(side)), 0, 128);
  progress(side).watcher = watcher;
}

/** A page or a chunk of device state has been placed at the edge t; the firmware sees it at its next edge. */
export function placedAdd(side: u32, kind: u32, bytes: u32, t: u64): void {
  const q = progress(side);
  if (kind == JOB_DEVICE) {
    q.device += bytes;
  } else {
    q.placed++;
    if (kind == JOB_ZERO) q.placedZero++;
  }
  // nobody looks at the count of pages before the end of the round is known
  if (kind == JOB_DEVICE || (q.flags & 1) != 0) wake(side, q.watcher, t);
}
