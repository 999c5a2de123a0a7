// SPDX-License-Identifier: Apache-2.0
/** JSON with sorted keys, and hashes over it: the same text for the same data on every machine. */
import { sha256 } from "../trace/digest.ts";

/** JSON text with the keys of every object in order of their code units. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
}

/** SHA-256 of a text's UTF-8 bytes, in hex. */
export function hashText(text: string): string {
  const running = sha256();
  running.update(new TextEncoder().encode(text));
  return running.hex();
}

/** SHA-256 of plain data, whatever the order of its keys. */
export function hashJson(value: unknown): string {
  return hashText(canonicalJson(value));
}
