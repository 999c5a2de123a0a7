// SPDX-License-Identifier: Apache-2.0
/** `dpusim trace info` and `dpusim trace verify`. */
import { amount, grouped, mebibytes, time } from "../report/format.ts";
import { printable } from "../scenario/units.ts";
import { infoSteps, type TraceInfo } from "../trace/info.ts";
import { fileSource } from "../trace/source-file.ts";
import { type Verification, verifySteps } from "../trace/verify.ts";
import { fileError } from "./errors.ts";
import { openTrace } from "./execute.ts";
import { untilInterrupted } from "./interrupt.ts";

function lines(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([key]) => key.length));
  return rows.map(([key, text]) => `${printable(`${key.padEnd(width)}  ${text}`)}\n`).join("");
}

const percent = (value: number | null): string =>
  value === null ? "unknown" : `${Number(value.toFixed(2))} %`;

/** Rows of READ, HASH and CSIZ, where there are any. */
function annotationRows({ annotations, pageBytes }: TraceInfo): [string, string][] {
  const { firstReads, hashes, sizes } = annotations;
  const rows: [string, string][] = [];
  if (firstReads > 0) rows.push(["first reads", amount(firstReads, "page")]);
  if (hashes > 0) rows.push(["hashes", `${grouped(hashes)} page versions`]);
  for (const { compressor, pages, bytes } of sizes) {
    const share = percent((100 * bytes) / (pages * pageBytes));
    rows.push([`size ${compressor}`, `${grouped(bytes)} B of ${grouped(pages)} page versions, ${share}`]);
  }
  return rows;
}

function infoText(info: TraceInfo): string {
  const { dirty, versions, metadata } = info;
  const lengthNs = info.durationUs * 1000;
  const nominal = info.nominalEpochUs > 0 ? ` of nominally ${time(info.nominalEpochUs * 1000)}` : "";
  const rate = dirty.pagesPerSecond === null ? "none" : `${grouped(dirty.pagesPerSecond)} pages/s`;
  const rows: [string, string][] = [
    ["file", info.file],
    ["sha256", info.sha256],
    ["format", `MDT ${info.version}, ${grouped(info.fileBytes)} B`],
    ["memory", `${mebibytes(info.memoryBytes)} MiB in ${amount(info.pages, "page")} of ${info.pageBytes} B`],
    ["contents", info.contents],
    ["length", `${time(lengthNs)} in ${amount(info.epochs, "epoch")}${nominal}`],
    [
      "writes",
      `${amount(info.events, "page write")}, ${rate}, ${grouped(dirty.distinctPages)} pages ever written`,
    ],
    [
      "per epoch",
      [dirty.epochPagesMin, dirty.epochPagesMedian, dirty.epochPagesMax].map(grouped).join(" / ") +
        " pages (min, median, max)",
    ],
    [
      "new contents",
      `${grouped(versions.body)} bodies, ${grouped(versions.zero)} zero, ` +
        `${grouped(versions.same)} the same, ${grouped(versions.free)} freed, ` +
        `${grouped(versions.unknown)} unknown`,
    ],
    ["captured", percent(versions.capturedPercent)],
    ["zero at start", percent(info.initialZeroPercent)],
    ...annotationRows(info),
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

/** The text of `dpusim trace info`. @throws TraceError, InputError, Interrupted */
export async function traceInfoCommand(file: string, json: boolean): Promise<string> {
  const { trace, source } = await openTrace(file);
  try {
    const info = await untilInterrupted(infoSteps(trace));
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
  if (found.hashes > 0) {
    const rest = found.hashes - found.hashesCompared;
    const text = `${grouped(found.hashesCompared)} compared with contents`;
    rows.push(["hashes", rest > 0 ? `${text}, ${grouped(rest)} of contents not in the trace` : text]);
  }
  return `${lines(rows)}ok\n`;
}

/** The text of `dpusim trace verify`. @throws TraceError for the first fault, InputError, Interrupted */
export async function traceVerifyCommand(file: string, json: boolean): Promise<string> {
  let source: ReturnType<typeof fileSource>;
  try {
    source = fileSource(file);
  } catch (error) {
    throw fileError(file, error);
  }
  try {
    const found = await untilInterrupted(verifySteps(source, file));
    return json ? `${JSON.stringify(found, null, 2)}\n` : verifiedText(found);
  } catch (error) {
    throw fileError(file, error);
  } finally {
    source.close();
  }
}
