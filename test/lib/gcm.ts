// SPDX-License-Identifier: Apache-2.0
// The AES-GCM and CRC files of the core compiled alone, for their test and their benchmark.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const entry = `export { gcmSetKey, gcmSeal, gcmOpen } from "./codec/gcm";
export { crc32 } from "./codec/crc";
`;

/** What is used of the compiler. Its own types declare a `console` that differs from Node's. */
interface Compiler {
  main(
    args: readonly string[],
    files: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: string | Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}
const compiler: string = "assemblyscript/asc";

/** What is used of WebAssembly, which the types of Node 20 leave out. */
interface Engine {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object, imports: object): Promise<{ exports: unknown }>;
}

/** The exports; addresses and lengths are bytes in `memory`. What they do is told in assembly/codec/. */
export interface GcmCore {
  memory: { buffer: ArrayBuffer };
  gcmSetKey(context: number, key: number, bits: number): number;
  gcmSeal(...args: SealArguments): void;
  gcmOpen(...args: SealArguments): number;
  crc32(seed: number, source: number, length: number): number;
}

export type SealArguments = [
  context: number,
  iv: number,
  aad: number,
  aadLength: number,
  source: number,
  target: number,
  length: number,
  tag: number,
];

/** First byte above the core's static data. */
export const freeAddress = 1 << 20;
const memoryPages = 128;

/** Compiles in memory (about 2 s) and starts an instance of 8 MiB. Throws with the compiler's words. */
export async function loadGcm(): Promise<GcmCore> {
  const outputs = new Map<string, string | Uint8Array>();
  const switches = ["--runtime", "stub", "--enable", "simd", "-O3", "--initialMemory", String(memoryPages)];
  const args = ["entry.ts", "--outFile", "gcm.wasm", ...switches];
  const asc = (await import(compiler)) as Compiler;
  const { error, stderr } = await asc.main(args, {
    readFile(name: string): string | null {
      if (name === "entry.ts") return entry;
      try {
        return readFileSync(join(root, "assembly", name), "utf8");
      } catch {
        return null;
      }
    },
    writeFile(name: string, contents: string | Uint8Array): void {
      outputs.set(name, contents);
    },
    listFiles: () => [],
  });
  const bytes = outputs.get("gcm.wasm");
  if (error !== null || !(bytes instanceof Uint8Array)) throw new Error(`${error}\n${stderr}`);
  const abort = (): never => {
    throw new Error("the core aborted");
  };
  const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;
  const instance = await engine.instantiate(await engine.compile(bytes), { env: { abort } });
  return instance.exports as GcmCore;
}
