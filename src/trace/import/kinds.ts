// SPDX-License-Identifier: Apache-2.0
// The kinds of files that `dpusim trace import` reads, and which kind a file is, where its beginning is
// certain.
import { elf } from "./elf.ts";
import type { Importer } from "./importer.ts";
import { lackey } from "./lackey.ts";
import { qemuLog } from "./qemu-log.ts";
import { qemuStream } from "./qemu-stream.ts";
import { raw } from "./raw.ts";
import { csv, jsonl } from "./table.ts";

export const IMPORTERS: readonly Importer[] = [qemuStream, qemuLog, csv, jsonl, raw, elf, lackey];

/** The importer of a kind. */
export function importerOf(kind: string): Importer | null {
  return IMPORTERS.find((importer) => importer.kind === kind) ?? null;
}

/** The importer of a file that begins with `head`, null where that is not certain. */
export function guessImporter(head: Uint8Array): Importer | null {
  return IMPORTERS.find((importer) => importer.begins(head)) ?? null;
}
