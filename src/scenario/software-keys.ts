// SPDX-License-Identifier: Apache-2.0
/** Keys of a host that migrates in software: what QEMU's threads cost it (docs/model.md section 16). */
import type { KeySpec, KeyTable } from "./keys.ts";

function perKib(text: string): KeySpec {
  return { measure: "cycles", min: 0, max: 1_000_000, text: `with software.costs: cycles, ${text}` };
}

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
  "qemu.checkPerKiB": perKib("a KiB that is looked at for a byte that is not zero"),
  "qemu.sendPerKiB": perKib("a KiB of the stream into the socket"),
  "qemu.receivePerKiB": perKib("a KiB of the stream out of the socket and to its place"),
  "qemu.zstdPerKiB": perKib("Zstandard, a KiB of a page that is compressed"),
  "qemu.unzstdPerKiB": perKib("its decoder, a KiB of a page that comes out"),
};
