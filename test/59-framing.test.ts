// SPDX-License-Identifier: Apache-2.0
// `probe link` with framing: bytes on the wire of random transfers, layer by layer, exact; and the command's
// options. Environment: lib/random.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkRecords, checkTransfer, wireOf } from "./lib/claims/framing.ts";
import { dpusim } from "./lib/cli.ts";
import { seeds } from "./lib/random.ts";

for (const seed of seeds(40)) {
  test(`bytes of a transfer, seed ${seed}`, () => checkTransfer(seed));
}

test("TLS: what counts before the end is the data of whole records", checkRecords);

test("the command: options are those of link.framing, and what cannot be is refused", async () => {
  const json = async (...more: string[]): Promise<{ wireBytes: number; payloadBytes: number }> => {
    const { stdout } = await dpusim(["probe", "link", "--bytes", "89480", "--json", ...more]);
    return JSON.parse(stdout);
  };
  // ten frames of 8948 B and 90 B around
  assert.equal((await json()).wireBytes, 10 * 9038);
  const layers = ["--vlan", "2", "--ip", "v6", "--macsec", "short", "--vxlan", "--esp", "--tls", "v1.3"];
  const all = { vlan: 2, ip: "v6", vxlan: "on", macsec: "short", esp: "tunnel", tls: "v1.3" } as const;
  assert.equal((await json(...layers)).wireBytes, wireOf(all, false, 9000, 89480));
  for (const [options, told] of [
    [["--vlan", "3"], /--vlan: 3 is no whole number from 0 to 2/],
    [["--macsec", "on"], /macsec.*off, sci, short/],
    [["--tls", "v1.3", "--streams", "2"], /--tls: is counted on one connection; remove it, or --streams/],
    [["--tls", "v1.3", "--transport", "udp"], /--tls: takes a byte stream that loses nothing; remove it/],
  ] as const) {
    const { code, stderr } = await dpusim(["probe", "link", ...options]);
    assert.is(code, 2);
    assert.match(stderr, told);
  }
});

test.run();
