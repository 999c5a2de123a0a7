// SPDX-License-Identifier: Apache-2.0
// The far end of a path that may lose frames: frames on their way to a port, what its links have sent.
import { reserve } from "./memory";


@unmanaged
export class Port {
  arrivals: usize;
  head: u32;
  tail: u32;
  mask: u32; // of the ring of arrivals
  urgent: u32; // connections whose ACK tells of a hole
  assignedA: u64; // bytes of a link that connections have taken
  assignedB: u64;
  turnA: u32; // connection that is asked first
  turnB: u32;
}

/** A frame on its way. Blocks are offsets from the acknowledgement; the last is empty when there is none. */
@unmanaged
export class Arrival {
  at: u64;
  end: u64;
  data: u64;
  ack: u64;
  right: u64;
  taken: u64;
  linkAck: u64;
  bytes: u32;
  index: u32;
  from0: u32;
  to0: u32;
  from1: u32;
  to1: u32;
  from2: u32;
  to2: u32;
}

const ARRIVAL: usize = 88;
const PORTS = memory.data(256, 16);

if (offsetof<Port>() > 128 || offsetof<Arrival>() != 88) ERROR("frames");

// @ts-ignore: decorator
@inline
export function port(side: u32): Port {
  return changetype<Port>(PORTS + (side << 7));
}

export function resetPorts(): void {
  memory.fill(PORTS, 0, 256);
}

/**
 * Lays out the ring of `frames` (a power of two) that may be under way to a side; false when it does not
 * fit.
 */
export function buildArrivals(side: u32, frames: u32): bool {
  port(side).mask = frames - 1;
  port(side).arrivals = reserve(<u64>frames * <u64>ARRIVAL);
  return port(side).arrivals != 0;
}

/** The frame at a place of the ring. */
// @ts-ignore: decorator
@inline
export function arrival(m: Port, place: u32): Arrival {
  return changetype<Arrival>(m.arrivals + <usize>(place & m.mask) * ARRIVAL);
}
