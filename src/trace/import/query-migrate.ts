// SPDX-License-Identifier: Apache-2.0
// The reply of QEMU's `query-migrate` as JSON: the reply itself, or within `return` (QMP) or `query`.
import { ImportError } from "../errors.ts";
import type { Metadata } from "../format.ts";
import { bytesAt, type Input, PAGE_BYTES } from "./importer.ts";

const REPLY_BYTES_MAX = 1 << 16;

/** What of the reply is used; the reply itself is kept in the trace's metadata. */
export interface Query {
  readonly totalBytes: number;
  readonly transferredBytes: number;
  /** Pages sent with contents. */
  readonly normal: number;
  /** Pages sent as zero. */
  readonly duplicate: number;
  readonly totalTimeMs: number;
  readonly reply: Metadata;
}

function object(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** Reads a completed migration's reply. Throws ImportError. */
export function readQuery(input: Input): Query {
  const { name, source } = input;
  const refuse = (reason: string): never => {
    throw new ImportError(name, reason);
  };
  if (source.size > REPLY_BYTES_MAX) refuse(`${source.size} bytes are no reply of query-migrate`);
  let value: Record<string, unknown> | null = null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(
      bytesAt(input, 0, source.size, "the reply"),
    );
    value = object(JSON.parse(text));
  } catch (fault) {
    if (fault instanceof ImportError) throw fault;
    refuse("this is not JSON in UTF-8; give the reply of query-migrate");
  }
  const reply = object(value?.return) ?? object(value?.query) ?? value;
  const ram = object(reply?.ram);
  if (reply === null || ram === null) return refuse("this is no reply of query-migrate: it has no ram");
  if (reply.status !== "completed")
    refuse(`status is ${JSON.stringify(reply.status)}; ask when the migration is completed`);
  if (ram["page-size"] !== PAGE_BYTES)
    refuse(`ram.page-size is not ${PAGE_BYTES}; only such pages can be played`);
  const count = (from: Record<string, unknown>, key: string, what: string): number => {
    const given = from[key];
    if (typeof given === "number" && Number.isSafeInteger(given) && given >= 0) return given;
    return refuse(`${what} is ${JSON.stringify(given)}; a whole number is needed`);
  };
  return {
    totalBytes: count(ram, "total", "ram.total"),
    transferredBytes: count(ram, "transferred", "ram.transferred"),
    normal: count(ram, "normal", "ram.normal"),
    duplicate: count(ram, "duplicate", "ram.duplicate"),
    totalTimeMs: count(reply, "total-time", "total-time"),
    reply,
  };
}
