// SPDX-License-Identifier: Apache-2.0
// What must be true when the destination resumes one of several guests: its memory and device state are there
// as the source has them, no byte of it twice.
import {
  GT_DEVICE_BYTES,
  GT_DEVICE_FIRST,
  GT_FIRST_PAGE,
  GT_PAGES,
  I_DESTINATION_EQUALS_SOURCE,
  I_DEVICE_STATE,
} from "./abi";
import { NO_GUEST, deviceBefore, justThere, ofGuest, thereSeen } from "./kernel/guests";
import { devicePlace, deviceState, placedVersion, sourceVersion } from "./kernel/pages";
import { progress } from "./kernel/progress";
import { broken } from "./kernel/stats";

/** Looks at the guest that the destination has resumed at t, if it has one. */
export function guestThere(t: u64): void {
  const k = justThere;
  if (k == NO_GUEST) return;
  thereSeen();
  const first = <u32>ofGuest(k, GT_FIRST_PAGE);
  for (let pfn = first; pfn < first + <u32>ofGuest(k, GT_PAGES); pfn++) {
    if (placedVersion(pfn) == sourceVersion(pfn)) continue;
    broken(I_DESTINATION_EQUALS_SOURCE, pfn, placedVersion(pfn), t);
    break;
  }
  const from = <u32>ofGuest(k, GT_DEVICE_FIRST);
  for (let at = from; at < from + <u32>ofGuest(k, GT_DEVICE_BYTES); at++) {
    if (load<u8>(deviceState() + at) == load<u8>(devicePlace() + at)) continue;
    broken(I_DEVICE_STATE, at, from, t);
    break;
  }
  if (progress(1).device != deviceBefore) broken(I_DEVICE_STATE, progress(1).device, deviceBefore, t);
}
