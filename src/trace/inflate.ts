// SPDX-License-Identifier: Apache-2.0
// Raw DEFLATE (RFC 1951) streams of known length: Node's zlib where there is one, else fflate.
import { inflateSync } from "fflate";
import { expect, Malformed } from "./errors.ts";

interface Zlib {
  inflateRawSync(
    input: Uint8Array,
    options: { maxOutputLength: number; info: true },
  ): { buffer: Uint8Array; engine: { bytesWritten: number } };
}
interface Runtime {
  process?: { getBuiltinModule?: (name: string) => unknown };
}

/** Node's zlib, if it can be reached without an import. */
function native(): Zlib | undefined {
  return (globalThis as Runtime).process?.getBuiltinModule?.("node:zlib") as Zlib | undefined;
}

/**
 * Decodes one raw DEFLATE stream that gives exactly `rawBytes` bytes and uses all of `input`. fflate does
 * not tell how much of its input it has used; the checksum of the payload stands for that in a browser.
 * Throws Malformed if it gives more or fewer, ends early, has bytes after its end or breaks RFC 1951.
 */
export function inflateRaw(input: Uint8Array, rawBytes: number): Uint8Array {
  const zlib = native();
  return zlib === undefined ? portableInflate(input, rawBytes) : nativeInflate(zlib, input, rawBytes);
}

function nativeInflate(zlib: Zlib, input: Uint8Array, rawBytes: number): Uint8Array {
  let output: ReturnType<Zlib["inflateRawSync"]>;
  try {
    output = zlib.inflateRawSync(input, { maxOutputLength: Math.max(1, rawBytes), info: true });
  } catch (error) {
    throw damaged((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE", rawBytes, error);
  }
  const { buffer, engine } = output;
  expect(buffer.length === rawBytes, `DEFLATE stream gives ${buffer.length} bytes, not ${rawBytes}`);
  const unused = input.length - engine.bytesWritten;
  expect(unused === 0, `${unused} bytes follow the end of the DEFLATE stream`);
  return buffer;
}

/** The same without Node. */
export function portableInflate(input: Uint8Array, rawBytes: number): Uint8Array {
  // one byte more than declared, so that a stream that grows past it shows
  const room = new Uint8Array(rawBytes + 1);
  let output: Uint8Array;
  try {
    output = inflateSync(input, { out: room });
  } catch (error) {
    throw damaged(false, rawBytes, error);
  }
  if (output.length > rawBytes) throw damaged(true, rawBytes, null);
  expect(output.length === rawBytes, `DEFLATE stream gives ${output.length} bytes, not ${rawBytes}`);
  return output;
}

function damaged(tooLong: boolean, rawBytes: number, cause: unknown): Malformed {
  if (tooLong) return new Malformed(`DEFLATE stream grows past its declared ${rawBytes} bytes`);
  return new Malformed(
    `DEFLATE stream is damaged: ${cause instanceof Error ? cause.message : String(cause)}`,
  );
}
