// SPDX-License-Identifier: Apache-2.0
/** Keys of a host that migrates in software: what QEMU's threads cost it (docs/model.md section 16). */
import type { KeyTable } from "./keys.ts";

export const SOFTWARE_KEYS: KeyTable = {
  "qemu.normalPage": {
    measure: "time",
    min: 0,
    max: 1e-3,
    text: "QEMU's migration thread: a page with contents, found, queued and given to the socket",
  },
  "qemu.zeroPage": { measure: "time", min: 0, max: 1e-3, text: "the same, a page that is all zero" },
  "qemu.loadPage": { measure: "time", min: 0, max: 1e-3, text: "a core at the destination, such a page" },
  "qemu.loadZeroPage": { measure: "time", min: 0, max: 1e-3, text: "the same, a page that is all zero" },
  "qemu.setup": { measure: "time", min: 0, max: 1, text: "connection and start of dirty logging" },
  "qemu.wake": { measure: "time", min: 0, max: 0.1, text: "by how much a timed wait ends late" },
  "qemu.socketBuffer": {
    measure: "bytes",
    min: 4096,
    max: 2 ** 30,
    text: "bytes that the thread's socket takes beyond what is on the wire",
  },
};
