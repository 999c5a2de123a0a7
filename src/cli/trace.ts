// SPDX-License-Identifier: Apache-2.0
/** `dpusim trace info` and `dpusim trace verify`. */
import { amount, grouped, mebibytes, time } from "../report/format.ts";
import { type TraceInfo, traceInfo } from "../trace/info.ts";
import { fileSource } from "../trace/source-file.ts";
import { type Verification, verifyTrace } from "../trace/verify.ts";
import { fileError } from "./errors.ts";
import { openTrace } from "./execute.ts";

function lines(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([key]) => key.length));
  return rows.map(([key, text]) => `${key.padEnd(width)}  ${text}\n`).join("");
}

const percent = (value: number | null): string =>
  value === null ? "unknown" : `${Number(value.toFixed(2))} %`;

function infoText(info: TraceInfo): string {
  const { dirty, versions, metadata } = info;
  const seconds = info.durationUs * 1000;
  const rate = dirty.pagesPerSecond === null ? "none" : `${grouped(dirty.pagesPerSecond)} pages/s`;
  const rows: [string, string][] = [
    ["file", info.file],
    ["sha256", info.sha256],
    ["format", `MDT ${info.version}, ${grouped(info.fileBytes)} B`],
    ["memory", `${mebibytes(info.memoryBytes)} MiB in ${amount(info.pages, "page")} of ${info.pageBytes} B`],
    ["contents", info.contents],
    ["length", `${time(seconds)} in ${amount(info.epochs, "epoch")} of ${info.nominalEpochUs} us nominally`],
    [
      "writes",
      `${amount(info.events, "page write")}, ${rate}, ${grouped(dirty.distinctPages)} pages ever written`,
    ],
    [
      "per epoch",
      `${dirty.epochPagesMin} / ${dirty.epochPagesMedian} / ${dirty.epochPagesMax} pages (min, median, max)`,
    ],
    [
      "new contents",
      `${versions.body} bodies, ${versions.zero} zero, ${versions.same} the same, ` +
        `${versions.free} freed, ${versions.unknown} unknown`,
    ],
    ["captured", percent(versions.capturedPercent)],
    ["zero at start", percent(info.initialZeroPercent)],
    [
      "chunks",
      Object.entries(info.chunks)
        .map(([type, n]) => `${type} ${n}`)
        .join(", "),
    ],
  ];
  for (const [key, value] of Object.entries(metadata)) {
    rows.push([`meta ${key}`, typeof value === "string" ? value : JSON.stringify(value)]);
  }
  return lines(rows);
}

/** The text of `dpusim trace info`. @throws TraceError, InputError */
export function traceInfoCommand(file: string, json: boolean): string {
  const { trace, source } = openTrace(file);
  try {
    const info = traceInfo(trace);
    return json ? `${JSON.stringify(info, null, 2)}\n` : infoText(info);
  } finally {
    source.close();
  }
}

function verifiedText(found: Verification): string {
  const rows: [string, string][] = [
    ["file", found.file],
    ["sha256", found.sha256],
    ["contents", found.contents],
    ["epochs", `${grouped(found.epochs)} whole, ${grouped(found.events)} page writes`],
  ];
  if (found.versions !== null) {
    rows.push(["versions", `${grouped(found.versions)} page versions hashed`]);
    rows.push(["checkpoints", `${grouped(found.checkpoints)} images hashed`]);
    rows.push(["final image", String(found.finalImageSha256)]);
  }
  return `${lines(rows)}ok\n`;
}

/** The text of `dpusim trace verify`. @throws TraceError for the first fault, InputError */
export function traceVerifyCommand(file: string, json: boolean): string {
  let source: ReturnType<typeof fileSource>;
  try {
    source = fileSource(file);
  } catch (error) {
    throw fileError(file, error);
  }
  try {
    const found = verifyTrace(source, file);
    return json ? `${JSON.stringify(found, null, 2)}\n` : verifiedText(found);
  } catch (error) {
    throw fileError(file, error);
  } finally {
    source.close();
  }
}
