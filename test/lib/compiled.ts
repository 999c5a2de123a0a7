// SPDX-License-Identifier: Apache-2.0
// Files of the core compiled alone, for tests and benchmarks of what they export.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

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

/** First byte above the core's static data; before it, memory that an encoder may read. */
export const freeAddress = 1 << 20;
const memoryPages = 128;

/**
 * Compiles a module in memory (about 2 s) and starts an instance of 8 MiB.
 * @param entry source of the module; it imports from the core's folder
 * @throws Error with the compiler's words
 */
export async function compiled(entry: string): Promise<unknown> {
  const outputs = new Map<string, string | Uint8Array>();
  const switches = ["--runtime", "stub", "--enable", "simd", "-O3", "--initialMemory", String(memoryPages)];
  const args = ["entry.ts", "--outFile", "entry.wasm", ...switches];
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
  const bytes = outputs.get("entry.wasm");
  if (error !== null || !(bytes instanceof Uint8Array)) throw new Error(`${error}\n${stderr}`);
  const abort = (): never => {
    throw new Error("the core aborted");
  };
  const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;
  return (await engine.instantiate(await engine.compile(bytes), { env: { abort } })).exports;
}
