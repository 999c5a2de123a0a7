// SPDX-License-Identifier: Apache-2.0
// A page in a real browser: bundles an entry, serves a folder on this machine, and evaluates in Chromium.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { needs } from "./peer.ts";

const mimeTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Served {
  /** Ends with a slash. */
  url: string;
  close: () => Promise<void>;
}

/**
 * Serves the files of `folder` on a free port of 127.0.0.1. `mounts` puts single files of other folders
 * under a URL path (`{ "/core.wasm": wasmPath }`). `/` is index.html, or an empty page where there is none.
 */
export async function serve(folder: string, mounts: Readonly<Record<string, string>> = {}): Promise<Served> {
  const server = createServer(async (request, response) => {
    const asked = decodeURIComponent(new URL(request.url ?? "/", "http://127.0.0.1").pathname);
    const path = asked === "/" ? "/index.html" : asked;
    const file = mounts[path] ?? normalize(join(folder, path));
    try {
      if (mounts[path] === undefined && !file.startsWith(normalize(folder + sep))) throw new Error("outside");
      const body = await readFile(file);
      response.writeHead(200, { "content-type": mimeTypes[extname(path)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      const empty = asked === "/";
      response.writeHead(empty ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
      response.end(
        empty ? '<!doctype html><link rel="icon" href="data:,"><title>empty</title>' : "not found",
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

/** Bundles a TypeScript or JavaScript entry into one module for the browser; imports of node: stay. */
export async function bundle(entry: string, outFile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    external: ["node:*"],
    logLevel: "silent",
  });
}

/** What a page gave, and what went wrong on it besides: uncaught errors, console errors, failed requests. */
export interface Evaluated<Result> {
  result: Result;
  errors: string[];
}

/**
 * Opens `url` in Debian's Chromium and evaluates `body` there with `argument`; only JSON-like values pass,
 * both ways. `body` is a function, or the source of one where it names things that only a page has. The
 * browser is closed again whatever happens. Throws when a step takes longer than `timeoutMs`.
 */
export async function evaluateInChromium<Argument, Result>(
  url: string,
  body: string | ((argument: Argument) => Result | Promise<Result>),
  argument: Argument,
  timeoutMs = 30_000,
): Promise<Evaluated<Result>> {
  const { present, path, reason } = needs("chromium");
  if (!present) throw new Error(reason);
  const browser = await chromium.launch({ executablePath: path, args: flags, timeout: timeoutMs });
  let watchdog: NodeJS.Timeout | undefined;
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await page.goto(url, { timeout: timeoutMs, waitUntil: "load" });
    const late = new Promise<never>((_resolve, reject) => {
      const fail = (): void =>
        reject(new Error(`no answer from the page after ${timeoutMs / 1000} s: ${errors}`));
      watchdog = setTimeout(fail, timeoutMs);
    });
    // tsx and esbuild may wrap inner functions in a helper of theirs that the page does not know.
    const source = `(globalThis.__name ??= (value) => value, (${body})(${JSON.stringify(argument)}))`;
    const result = (await Promise.race([page.evaluate(source), late])) as Result;
    return { result, errors };
  } finally {
    clearTimeout(watchdog);
    await browser.close();
  }
}
