// SPDX-License-Identifier: Apache-2.0
// A ByteSource over an open file of the host. The only file of src/trace that touches the file system.
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { ByteSource } from "./source.ts";

/** A file open for positional reads; `close` it when no reader needs it any more. */
export interface FileSource extends ByteSource {
  close(): void;
}

/** A pipe or a device has no length and no positions, and opening one may wait for ever. */
function mustBeRegular(path: string): void {
  const stat = statSync(path);
  if (stat.isFile()) return;
  const code = stat.isDirectory() ? "EISDIR" : "ENOTREG";
  throw Object.assign(new Error(`${code}: not a regular file, open '${path}'`), { code, path });
}

/**
 * Opens `path`. Throws the system's error if it cannot be opened, and one of code EISDIR or ENOTREG if it is
 * no regular file. Memory use does not depend on its size.
 */
export function fileSource(path: string): FileSource {
  mustBeRegular(path);
  const fd = openSync(path, "r");
  const size = fstatSync(fd).size;
  const read = (offset: number, length: number): Uint8Array => {
    const wanted = Math.max(0, Math.min(length, size - offset));
    const out = new Uint8Array(wanted);
    let done = 0;
    while (done < wanted) {
      const got = readSync(fd, out, done, wanted - done, offset + done);
      if (got === 0) return out.subarray(0, done);
      done += got;
    }
    return out;
  };
  return { size, read, close: () => closeSync(fd) };
}
